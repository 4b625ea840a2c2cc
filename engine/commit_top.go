package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Keep says what an image of a container is to be.
type Keep struct {
	Labels  map[string]string // beside those of the image that the container was made from
	Emptied string            // a folder of which only itself is in the image, with its owner and mode; "" for none
}

// Names by which a layer hides what is below it (github.com/opencontainers/image-spec, layer.md "Whiteouts").
const (
	whiteout       = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// runtimeFolder is where OpenShell 0.1.x puts its own program into a workload; Podman's driver refuses an image that
// has it (docs/facts/openshell-0.1.md 1.1).
const runtimeFolder = ".openshell"

// top is a layer that hides what is not to be in an image of the container; nil when there is nothing to hide.
func (e *Engine) top(ctx context.Context, c Container, keep Keep) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	hides := c.Labels[LabelRole] != ""
	if hides {
		if err := addFile(w, whiteout+runtimeFolder, nil); err != nil {
			return nil, err
		}
	}

	if keep.Emptied != "" {
		emptied, err := e.empty(ctx, w, c.ID, keep.Emptied)
		if err != nil {
			return nil, fmt.Errorf("leaving %s empty: %w", keep.Emptied, err)
		}
		hides = hides || emptied
	}

	if !hides {
		return nil, nil
	}
	err := w.Close()
	return out.Bytes(), err
}

// empty hides all that is in a folder. It and those above it are in the layer with their own owners and modes, for a
// layer that names a file makes its folders anew. A folder that is not there needs nothing, and is answered with false.
func (e *Engine) empty(ctx context.Context, w *tar.Writer, id, folder string) (bool, error) {
	above := ""
	var headers []*tar.Header
	for part := range strings.SplitSeq(strings.Trim(folder, "/"), "/") {
		above = path.Join(above, part)
		header, err := e.header(ctx, id, "/"+above)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return false, nil
		case err != nil:
			return false, err
		case header.Typeflag != tar.TypeDir:
			return false, fmt.Errorf("/%s is no folder", above)
		}

		header.Name = above + "/"
		headers = append(headers, header)
	}

	for _, header := range headers {
		if err := w.WriteHeader(header); err != nil {
			return false, err
		}
	}

	return true, addFile(w, path.Join(above, whiteoutOpaque), nil)
}

// header is the first entry of what the engine's archive API answers about a path: the path itself.
func (e *Engine) header(ctx context.Context, id, name string) (*tar.Header, error) {
	ctx, cancel := e.within(ctx, archiveLimit)
	defer cancel()
	stream, _, err := e.client.CopyFromContainer(ctx, id, name)
	if err != nil {
		return nil, e.explain(ctx, err)
	}
	defer stream.Close()
	return tar.NewReader(stream).Next()
}

// under is the image with one more layer on top; without one it is the same.
func (i imageSource) under(top []byte) imageSource {
	if top != nil {
		i.RootFS.Layers = append(append([]string{}, i.RootFS.Layers...), fmt.Sprintf("sha256:%x", sha256.Sum256(top)))
		i.top = top
	}
	return i
}
