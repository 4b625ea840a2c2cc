package dockertest

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
)

// load takes docker's archive of one image whose layers are here, as Docker does: it opens no layer that it has.
func (d *Daemon) load(w http.ResponseWriter, r *http.Request) {
	files := map[string][]byte{}
	for archive := tar.NewReader(r.Body); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			files[header.Name], err = io.ReadAll(archive)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	if err := d.take(files); err != nil {
		reply(w, http.StatusOK, map[string]string{"error": err.Error()}) // Docker has begun its answer by then
		return
	}
	reply(w, http.StatusOK, map[string]string{"stream": "Loaded image\n"})
}

func (d *Daemon) take(files map[string][]byte) error {
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest) != 1 {
		return errors.Join(errors.New("invalid manifest"), err)
	}
	var image struct {
		Config struct {
			WorkingDir string
			Labels     map[string]string
		} `json:"config"`
		RootFS struct {
			Layers []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(files[manifest[0].Config], &image); err != nil {
		return err
	}
	if len(manifest[0].Layers) != len(image.RootFS.Layers) {
		return errors.New("invalid manifest, layers length mismatch")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, kept := range d.kept {
		if !slices.Equal(image.RootFS.Layers, []string{kept.layer}) {
			continue
		}
		d.made++
		id := "sha256:" + hexID("4", d.made)
		d.kept[id] = Image{Labels: image.Config.Labels, Workdir: image.Config.WorkingDir, Files: slices.Clone(kept.Files), layer: kept.layer}
		for _, ref := range manifest[0].RepoTags {
			d.images[familiar(ref)] = id
		}
		return nil
	}
	return errors.New("a layer of the image is in no archive and not here")
}
