package engine

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// This file is the engine's archive API. It works on running, paused, stopped and never started containers, needs
// nothing inside them, and includes mounted volumes (the podman driver keeps /sandbox in one). The engine leaves out
// sockets, and writes sparse files whole.
//
// While a read or a write is under way the engine holds the container's own lock: inspect, pause and unpause of that
// container wait until it ends (daemon/archive_unix.go of moby, up to v28.5.2 at least).

// FileFact is what the engine says of one path in a container.
type FileFact struct {
	Mode fs.FileMode
	Link string // where a symbolic link leads
	Size int64
}

// Stat looks at path without following a link at its end. The error wraps fs.ErrNotExist when there is no such path.
func (e *Engine) Stat(ctx context.Context, id, name string) (FileFact, error) {
	ctx, cancel := e.within(ctx, archiveLimit)
	defer cancel()
	stat, err := e.client.ContainerStatPath(ctx, id, name)
	if err == nil {
		return FileFact{Mode: stat.Mode, Link: stat.LinkTarget, Size: stat.Size}, nil
	}
	if errdefs.IsInternal(err) || errdefs.IsUnknown(err) {
		err = e.spoken(ctx, id, name, err)
	}
	if isMountedFile(err) {
		return FileFact{}, nil
	}
	return FileFact{}, e.explain(ctx, err)
}

// copierTries is how often Podman is asked again whose copier ended without an answer.
const copierTries = 5

// spoken gives the engine's own sentence in place of an error that came without one: an answer to HEAD has no body, the
// same question by GET has. Podman has its copier answer, and reads nothing in some 3 of 700 answers of one that fails
// (docs/facts/engines.md 1).
func (e *Engine) spoken(ctx context.Context, id, name string, err error) error {
	for range copierTries {
		stream, _, said := e.client.CopyFromContainer(ctx, id, name)
		if said == nil {
			_ = stream.Close()
			return err
		}
		if err = said; !strings.HasSuffix(said.Error(), "copier subprocess: EOF") {
			break
		}
	}
	return err
}

// isMountedFile knows what Podman says of a stopped container's file that is a mount by itself: it looks for a folder
// there (docs/facts/engines.md 1).
func isMountedFile(err error) bool {
	said := err.Error()
	return strings.Contains(said, "intended-new-root directory") && strings.HasSuffix(said, "not a directory")
}

// archiveLimit bounds the requests that are no streams. It is generous: somebody else's "docker cp" of the container
// makes them wait.
const archiveLimit = 30 * time.Second

// Read streams the folder name as tar; entries begin with its last component.
func (e *Engine) Read(ctx context.Context, id, name string) (io.ReadCloser, error) {
	podman, err := e.isPodman(ctx)
	if err != nil {
		return nil, err
	}
	if podman {
		return e.readPodman(ctx, id, name)
	}
	stream, _, err := e.client.CopyFromContainer(ctx, id, name)
	if err != nil {
		return nil, e.explain(ctx, err)
	}
	return stream, nil
}

// Write unpacks a tar stream in the folder dir, with the owners that the stream names. An entry replaces what has its
// name, also a whole folder when the entry is not one.
func (e *Engine) Write(ctx context.Context, id, dir string, stream io.Reader) error {
	// A PathStat of its own before the write is left out: the engine answers 404 and 400 for a dir that is none.
	err := e.client.CopyToContainer(ctx, id, dir, stream, container.CopyToContainerOptions{AllowOverwriteDirWithFile: true})
	return e.explain(ctx, err)
}

// RecipeFacts is what a container says about how it was made. Of the environment only the names are taken.
type RecipeFacts struct {
	EnvNames []string
	Labels   map[string]string
	Image    string // as the container names it
	ImageID  string
	Command  []string
	Size     int64 // bytes of the writable layer; 0 when not asked for
}

// Describe reads the recipe of a container, and the size of its writable layer when sized (that walks the whole layer).
func (e *Engine) Describe(ctx context.Context, id string, sized bool) (RecipeFacts, error) {
	ctx, cancel := e.within(ctx, archiveLimit)
	defer cancel()
	inspected, _, err := e.client.ContainerInspectWithRaw(ctx, id, sized)
	if err != nil {
		return RecipeFacts{}, e.explain(ctx, err)
	}
	if inspected.ContainerJSONBase == nil || inspected.Config == nil {
		return RecipeFacts{}, fmt.Errorf("the engine's answer does not describe container %q", id)
	}
	facts := RecipeFacts{
		EnvNames: envNames(inspected.Config.Env), Labels: inspected.Config.Labels,
		Image: inspected.Config.Image, ImageID: inspected.ContainerJSONBase.Image,
		Command: append(slices.Clone([]string(inspected.Config.Entrypoint)), inspected.Config.Cmd...),
	}
	if inspected.SizeRw != nil {
		facts.Size = *inspected.SizeRw
	}
	return facts, nil
}

func envNames(entries []string) []string {
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
