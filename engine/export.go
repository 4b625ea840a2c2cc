package engine

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Podman's archive API gives every file of a container to the user that asks for it: a home that was read through it
// would come back as root's. Its export has the owners (both seen in docs/facts/engines.md 1), but only of what lies in
// the container itself, not of mounts. Of those the container's own tar tells, while the container runs.

// ErrNoOwners means that an engine would not tell whose the files of a home are.
var ErrNoOwners = errors.New("the owners of files in a volume or another mount are told by Podman only while the container runs")

// readPodman streams the folder name of a container as tar, as Read does, with the owners of its files.
func (e *Engine) readPodman(ctx context.Context, id, name string) (io.ReadCloser, error) {
	c, err := e.Inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	untold := mountedNear(c, name)
	switch {
	case untold == nil:
		return e.export(ctx, id, name)
	case c.Running() && !c.Paused():
		return e.readByTar(ctx, id, name)
	}

	return nil, untold
}

// ReadableStopped gives an error that wraps ErrNoOwners when the folder name of c cannot be read once c is stopped.
func (e *Engine) ReadableStopped(ctx context.Context, c Container, name string) error {
	podman, err := e.isPodman(ctx)
	if err != nil || !podman {
		return err
	}
	return mountedNear(c, name)
}

// mountedNear names a mount that lies over or in the folder name.
func mountedNear(c Container, name string) error {
	for _, m := range c.Mounts {
		if m.Type != "tmpfs" && (below(m.Destination, name) || below(name, m.Destination)) {
			return fmt.Errorf("%s is mounted: %w", m.Destination, ErrNoOwners)
		}
	}
	return nil
}

// below reports whether name is dir or lies in it.
func below(name, dir string) bool {
	dir = strings.TrimSuffix(path.Clean(dir), "/") + "/"
	return strings.HasPrefix(path.Clean(name)+"/", dir)
}

// Export streams the folder name of a container as tar, as Read does, for a container of which the archive API gives
// nothing. An export has nothing of mounts: a folder with one in it is an error.
func (e *Engine) Export(ctx context.Context, id, name string) (io.ReadCloser, error) {
	c, err := e.Inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, m := range c.Mounts {
		if below(m.Destination, name) || below(name, m.Destination) {
			return nil, fmt.Errorf("%s cannot be read: %s is mounted, and the engine gives its files only through its archive API", name, m.Destination)
		}
	}
	return e.export(ctx, id, name)
}

// export streams the folder name as tar, as Read does, out of an export of the whole container.
func (e *Engine) export(ctx context.Context, id, name string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	whole, err := e.client.ContainerExport(ctx, id)
	if err != nil {
		defer cancel() // after the error was explained, which would otherwise be the cancellation
		return nil, e.explain(ctx, err)
	}
	from, to := io.Pipe()
	go func() {
		err := pick(to, whole, name)
		to.CloseWithError(errors.Join(err, whole.Close()))
	}()
	return &exported{from, cancel}, nil
}

// exported ends the export when its reader has had enough.
type exported struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close ends the stream, and the export behind it.
func (e *exported) Close() error {
	e.cancel()
	return e.PipeReader.Close()
}

// pick copies the entries of a tar stream that are the folder name or lie in it. Their names begin with its last
// component.
func pick(to io.Writer, whole io.Reader, name string) error {
	base := path.Dir(path.Clean(name))
	w := tar.NewWriter(to)
	found := false
	for r := tar.NewReader(whole); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if !below("/"+h.Name, name) {
			continue
		}
		if path.Clean("/"+h.Name) == path.Clean(name) && h.Typeflag != tar.TypeDir {
			return fmt.Errorf("%s is not a folder", name) // a link is not followed: what lies behind it was never meant
		}
		found, h.Name = true, picked(h.Name, base)
		if h.Typeflag == tar.TypeLink && below("/"+h.Linkname, name) {
			h.Linkname = picked(h.Linkname, base)
		}
		if err := copyWhole(w, r, h); err != nil {
			return err
		}
	}

	if !found {
		return fmt.Errorf("the export of the container has no %s", name)
	}
	return w.Close()
}

func picked(entry, base string) string {
	kept := strings.TrimPrefix(strings.TrimPrefix(path.Clean("/"+entry), base), "/")
	if strings.HasSuffix(entry, "/") {
		kept += "/"
	}
	return kept
}

func copyWhole(w *tar.Writer, r io.Reader, h *tar.Header) error {
	h.Format = tar.FormatUnknown // the writer chooses a format that holds the header
	if err := w.WriteHeader(h); err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	_, err := io.Copy(w, r)
	return err
}
