package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// Commit keeps a container's file system as an image named ref and returns the image's id. The image has the
// configuration of the image that the container was made from (user, working folder, entrypoint, command, environment),
// not the container's: an engine merges the container's in, whatever it is told, and OpenShell's supervisor refuses the
// user 0 that its own containers have. It has that image's labels and the given ones, and none of those by which
// OpenShell's drivers find their containers. It holds no /.openshell, which is OpenShell's own and new at every start.
// The container is not paused for it.
//
// The error wraps fs.ErrNotExist when the container is gone, or the image that it was made from.
func (e *Engine) Commit(ctx context.Context, id, ref string, keep Keep) (string, error) {
	c, err := e.Inspect(ctx, id)
	if err != nil {
		return "", err
	}
	original, err := e.imageSource(ctx, c.ImageID)
	if err != nil {
		return "", fmt.Errorf("the image that container %q was made from%s: %w", c.Name, bringBack(err), err)
	}
	if original.Config == nil {
		original.Config = map[string]any{}
	}
	original.Config["Labels"] = keptLabels(original.Config["Labels"], keep.Labels)
	top, err := e.top(ctx, c, keep)
	if err != nil {
		return "", err
	}
	err = e.control(ctx, "committing", id, commitTimeout, func(ctx context.Context) error {
		_, err := e.client.ContainerCommit(ctx, id, container.CommitOptions{Reference: Unfinished(ref), Pause: false, Config: &container.Config{}})
		return err
	})
	if err != nil {
		return "", err
	}
	return e.rebase(ctx, ref, imageSource{Config: original.Config, top: top})
}

// Unfinished names what an engine commits until the image ref is made of it. It is a name of its own, so ref never names
// half an image, and a containerd image store keeps the layers meanwhile: what has no name is collected there, also
// between two steps of a load (docs/facts/engines.md 1).
func Unfinished(ref string) string { return ref + "-unfinished" }

// bringBack says what helps when an image is gone: a containerd image store forgets one when its last name is given to
// another (docs/facts/engines.md 1).
func bringBack(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return ", which a way back needs: pull or load it again, under any name"
	}
	return ""
}

// imageSource is what an engine says of an image, as far as another image is made from it.
type imageSource struct {
	ID           string `json:"Id"`
	Created      string
	Os           string
	Architecture string
	Variant      string
	Config       map[string]any
	RootFS       struct{ Layers []string }

	top []byte // the last of the layers, where the engine does not have it yet
}

func (e *Engine) imageSource(ctx context.Context, ref string) (imageSource, error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	var raw bytes.Buffer
	var source imageSource
	if _, err := e.client.ImageInspect(ctx, ref, client.ImageInspectWithRawResponse(&raw)); err != nil {
		return source, fmt.Errorf("inspecting image %q: %w", ref, e.explain(ctx, err))
	}
	if err := json.Unmarshal(raw.Bytes(), &source); err != nil {
		return source, fmt.Errorf("inspecting image %q: %w", ref, err)
	}
	return source, nil
}

// keptLabels are an image's labels without those of OpenShell's drivers, and the wanted ones.
func keptLabels(has any, wanted map[string]string) map[string]any {
	kept := map[string]any{}
	original, _ := has.(map[string]any)
	maps.Copy(kept, original)
	maps.DeleteFunc(kept, func(name string, _ any) bool { return strings.HasPrefix(name, "openshell.") })
	for name, value := range wanted {
		kept[name] = value
	}
	return kept
}

// rebase makes the image ref of what was committed for it, with the configuration of changed and its layer on top, and
// removes what was committed. It loads the image's description alone, for the engine has the layers; an engine that
// wants them nevertheless gets them from its own archive.
func (e *Engine) rebase(ctx context.Context, ref string, changed imageSource) (string, error) {
	ctx, cancel := e.within(ctx, commitTimeout)
	defer cancel()
	committed, err := e.imageSource(ctx, Unfinished(ref))
	if err != nil {
		return "", err
	}
	committed.Config = changed.Config
	committed = committed.under(changed.top)
	made, err := e.loadAs(ctx, ref, committed, func() (io.ReadCloser, error) { return describe(ref, committed) })
	if err != nil {
		var again error
		made, again = e.loadAs(ctx, ref, committed, func() (io.ReadCloser, error) { return e.saveAs(ctx, ref, committed) })
		if again != nil {
			return "", fmt.Errorf("loading image %q with its original configuration: %w", ref, errors.Join(err, again))
		}
	}
	if err := e.untag(ctx, Unfinished(ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err // its layers stay with the new image
	}
	return made, nil
}

// loadAs loads an archive and makes sure that ref names a new image of the same layers.
func (e *Engine) loadAs(ctx context.Context, ref string, from imageSource, open func() (io.ReadCloser, error)) (string, error) {
	if err := e.load(ctx, open); err != nil {
		return "", e.explain(ctx, err)
	}
	made, err := e.imageSource(ctx, ref)
	if err != nil {
		return "", err
	}
	if made.ID == from.ID || !slices.Equal(made.RootFS.Layers, from.RootFS.Layers) {
		return "", fmt.Errorf("the engine took the description of image %q and made no image of it", ref)
	}
	return made.ID, nil
}

// load gives the engine an archive, and reads its answer to the end: what went wrong is in there.
func (e *Engine) load(ctx context.Context, open func() (io.ReadCloser, error)) error {
	archive, err := open()
	if err != nil {
		return err
	}
	defer archive.Close()
	answer, err := e.client.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	for lines := json.NewDecoder(answer.Body); ; {
		var line struct {
			Error string `json:"error"`
		}
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("the engine's answer cannot be read: %w", err)
		case line.Error != "":
			return errors.New(line.Error)
		}
	}
}

// describe is docker's archive of an image without its layers: its configuration, and the manifest that names as many
// layers as it has. Docker opens no layer that it has (tried on 20.10).
func describe(ref string, from imageSource) (io.ReadCloser, error) {
	layers := make([]string, len(from.RootFS.Layers))
	for i := range layers {
		layers[i] = fmt.Sprintf("%d/layer.tar", i)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": from.Architecture, "variant": from.Variant, "os": from.Os, "created": from.Created, "config": from.Config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": from.RootFS.Layers},
	})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if w := tar.NewWriter(&out); from.top != nil {
		if err := errors.Join(addFile(w, layers[len(layers)-1], from.top), w.Flush()); err != nil {
			return nil, err
		}
	}

	description, err := describedBy(ref, config, layers)
	out.Write(description)
	return io.NopCloser(&out), err
}

// describedBy are the two files of docker's archive that say what an image is; layers are the paths of its layers in
// the archive.
func describedBy(ref string, config []byte, layers []string) ([]byte, error) {
	name := fmt.Sprintf("%x.json", sha256.Sum256(config))
	manifest, err := json.Marshal([]map[string]any{{"Config": name, "RepoTags": []string{ref}, "Layers": layers}})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	err = errors.Join(addFile(w, name, config), addFile(w, "manifest.json", manifest), w.Close())
	return out.Bytes(), err
}

func addFile(w *tar.Writer, name string, content []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}
