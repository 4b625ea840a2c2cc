package home

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sandkeeper/sandbox"
)

// NoArchiveError means that an engine's archive API gives nothing of a container, not even its root: so it is where the
// source of a bind mount is gone, running or stopped (seen with Docker 20.10, which answers 404 for every path; others
// answer 500).
type NoArchiveError struct {
	Err error // the engine's own sentence
}

// Error gives the engine's own sentence.
func (e *NoArchiveError) Error() string {
	return fmt.Sprintf("the engine shows nothing of the container, as it does when the source of one of its mounts is gone: %v", e.Err)
}

// Unwrap gives the engine's error.
func (e *NoArchiveError) Unwrap() error { return e.Err }

// archives is a *NoArchiveError where the engine's archive API does not even give the container's root, which every
// container has. The sentence comes with a read: an answer to a look has none.
func (h ContainerHome) archives(ctx context.Context) error {
	if _, err := h.Engine.Stat(ctx, h.ID, "/"); err == nil {
		return nil
	}
	root, err := h.Engine.Read(ctx, h.ID, "/")
	if err != nil {
		return &NoArchiveError{Err: err}
	}
	_ = root.Close()
	return nil
}

// Exporter is an engine that gives a folder of a container out of an export of the whole; *engine.Engine is one. A
// folder with a mount in it, or that is one, is an error: an export has nothing of mounts.
type Exporter interface {
	Export(ctx context.Context, id, name string) (io.ReadCloser, error)
}

// ReadableHomeOf is HomeOf for who only reads: a home of which the archive API shows nothing is then read out of an
// export.
func ReadableHomeOf(ctx context.Context, e EngineReach, sb sandbox.Sandbox) (ContainerHome, error) {
	h, err := HomeOf(ctx, e, sb)
	_, nothing := errors.AsType[*NoArchiveError](err)
	if _, ok := e.(Exporter); ok && nothing {
		h.exported = true
		return h, nil
	}
	return h, err
}
