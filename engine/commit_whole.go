package engine

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// saveAs is the engine's own archive of an image with all layers, but with the configuration of from and the name ref.
func (e *Engine) saveAs(ctx context.Context, ref string, from imageSource) (io.ReadCloser, error) {
	saved, err := e.client.ImageSave(ctx, []string{from.ID})
	if err != nil {
		return nil, err
	}
	read, write := io.Pipe()
	go func() { write.CloseWithError(errors.Join(edit(write, saved, ref, from), saved.Close())) }()
	return read, nil
}

// topName is where an archive has the layer on top.
const topName = "top/layer.tar"

// descriptionLimit is far more than an image's manifest or configuration has.
const descriptionLimit = 4 << 20

// described are the files in an archive that say what an image is. An engine would believe them before the ones that
// are added.
var described = []string{"manifest.json", "index.json", "repositories", "oci-layout"}

// edit copies an archive, and puts another description at its end in place of its own.
func edit(to io.Writer, archive io.Reader, ref string, from imageSource) error {
	w := tar.NewWriter(to)
	small := map[string][]byte{}
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := copyEntry(w, r, header, small); err != nil {
			return err
		}
	}

	if from.top != nil {
		if err := addFile(w, topName, from.top); err != nil {
			return err
		}
	}

	if err := w.Flush(); err != nil {
		return err
	}
	description, err := redescribed(small, ref, from)
	if err != nil {
		return err
	}
	_, err = to.Write(description)
	return err
}

// copyEntry copies one file of an archive, but not a description, and keeps the small ones in small.
func copyEntry(w *tar.Writer, r io.Reader, header *tar.Header, small map[string][]byte) error {
	if header.Typeflag == tar.TypeReg && header.Size <= descriptionLimit {
		content, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		small[header.Name] = content
		if slices.Contains(described, header.Name) {
			return nil
		}
		return addFile(w, header.Name, content)
	}

	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(w, r)
	return err
}

func redescribed(small map[string][]byte, ref string, from imageSource) ([]byte, error) {
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(small["manifest.json"], &manifest); err != nil {
		return nil, fmt.Errorf("manifest.json of the archive: %w", err)
	}
	if len(manifest) != 1 {
		return nil, fmt.Errorf("the archive names %d images, not 1", len(manifest))
	}
	var image map[string]any
	if err := json.Unmarshal(small[manifest[0].Config], &image); err != nil {
		return nil, fmt.Errorf("%s of the archive: %w", manifest[0].Config, err)
	}
	image["config"] = from.Config
	if from.top != nil {
		image["rootfs"] = map[string]any{"type": "layers", "diff_ids": from.RootFS.Layers}
		manifest[0].Layers = append(manifest[0].Layers, topName)
		delete(image, "history") // it would have one layer less
	}

	delete(image, "container_config") // the container's, as old engines keep it beside
	changed, err := json.Marshal(image)
	if err != nil {
		return nil, err
	}
	return describedBy(ref, changed, manifest[0].Layers)
}
