package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"sandkeeper/engine"
)

// dockerEngine is a container engine's archive API: the only place of this package that knows Docker's types. The API works on
// running, paused, stopped and never started containers, needs nothing inside them, and includes mounted volumes (the podman
// driver keeps /sandbox in one). The engine leaves out sockets, and writes sparse files whole.
//
// While a read or a write is under way the engine holds the container's own lock: inspect, pause and unpause of that container
// wait until it ends (daemon/archive_unix.go of moby, up to v28.5.2 at least).
type dockerEngine struct{ *engine.Engine }

// fileFact is what the engine says of one path in a container.
type fileFact struct {
	Mode fs.FileMode
	Link string // where a symbolic link leads
	Size int64
}

// Stat looks at path without following a link at its end. The error wraps fs.ErrNotExist when there is no such path.
func (d dockerEngine) Stat(ctx context.Context, id, name string) (fileFact, error) {
	ctx, cancel := answering(ctx)
	defer cancel()
	stat, err := d.Client().ContainerStatPath(ctx, id, name)
	if err != nil {
		return fileFact{}, explain(blame(ctx, err))
	}
	return fileFact{Mode: stat.Mode, Link: stat.LinkTarget, Size: stat.Size}, nil
}

// answerLimit bounds the requests that are no streams. It is generous: somebody else's "docker cp" of the container makes them wait.
const answerLimit = 30 * time.Second

func answering(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, answerLimit, fmt.Errorf("the container engine did not answer within %s", answerLimit))
}

// Read streams the folder name as tar; entries begin with its last component.
func (d dockerEngine) Read(ctx context.Context, id, name string) (io.ReadCloser, error) {
	stream, _, err := d.Client().CopyFromContainer(ctx, id, name)
	if err != nil {
		return nil, explain(err)
	}
	return stream, nil
}

// Write unpacks a tar stream in the folder dir, with the owners that the stream names. An entry replaces what has its name, also a
// whole folder when the entry is not one.
func (d dockerEngine) Write(ctx context.Context, id, dir string, stream io.Reader) error {
	// A PathStat of its own before the write is left out: the engine answers 404 and 400 for a dir that is none.
	err := d.Client().CopyToContainer(ctx, id, dir, stream, container.CopyToContainerOptions{AllowOverwriteDirWithFile: true})
	return explain(err)
}

// recipeFacts is what a container says about how it was made. Of the environment only the names are taken.
type recipeFacts struct {
	EnvNames []string
	Labels   map[string]string
	Image    string // as the container names it
	ImageID  string
	Command  []string
	Size     int64 // bytes of the writable layer; 0 when not asked for
}

// Describe reads the recipe of a container, and the size of its writable layer when sized (that walks the whole layer).
func (d dockerEngine) Describe(ctx context.Context, id string, sized bool) (recipeFacts, error) {
	ctx, cancel := answering(ctx)
	defer cancel()
	inspected, _, err := d.Client().ContainerInspectWithRaw(ctx, id, sized)
	if err != nil {
		return recipeFacts{}, explain(blame(ctx, err))
	}
	if inspected.ContainerJSONBase == nil || inspected.Config == nil {
		return recipeFacts{}, fmt.Errorf("the engine's answer does not describe container %q", id)
	}
	facts := recipeFacts{
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

func explain(err error) error {
	if err != nil && errdefs.IsNotFound(err) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
