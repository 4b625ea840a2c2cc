package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Apart is a throw-away container that reaches nothing: no network, no mount of this host, no capability but that its
// root may read what others own.
type Apart struct {
	Image   string // reference or id; it must be on the engine
	Name    string
	Labels  map[string]string
	Command []string // program and arguments, instead of the image's own; none is for a container that is not started
	Workdir string
	Env     []string
}

// CreateApart makes the container and does not start it.
func (e *Engine) CreateApart(ctx context.Context, a Apart) (id string, err error) {
	config := &container.Config{Image: a.Image, Labels: a.Labels, WorkingDir: a.Workdir, Env: a.Env, NetworkDisabled: true, Cmd: []string{"true"}}
	if len(a.Command) > 0 {
		config.Entrypoint, config.Cmd = a.Command[:1], a.Command[1:]
	}
	processes := int64(512)
	host := &container.HostConfig{
		NetworkMode: "none", CapDrop: []string{"ALL"}, CapAdd: []string{"DAC_OVERRIDE"}, SecurityOpt: []string{"no-new-privileges"},
		Resources: container.Resources{PidsLimit: &processes},
	}
	ctx, cancel := e.within(ctx, e.timeout+stopGrace)
	defer cancel()
	made, err := e.client.ContainerCreate(ctx, config, host, nil, nil, a.Name)
	if err != nil {
		return "", fmt.Errorf("making a container from image %q: %w", a.Image, e.explain(ctx, err))
	}
	return made.ID, nil
}

// RunApart starts a container and waits for its end, and gives the exit status and the last lines of what it printed.
func (e *Engine) RunApart(ctx context.Context, id string, limit time.Duration) (exit int, said string, err error) {
	if err := e.Start(ctx, id); err != nil {
		return 0, "", err
	}
	ctx, cancel := e.within(ctx, limit)
	defer cancel()
	done, failed := e.client.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case end := <-done:
		said, err := e.lastWords(ctx, id)
		return int(end.StatusCode), said, err
	case err := <-failed:
		return 0, "", fmt.Errorf("waiting for container %q: %w", id, e.explain(ctx, err))
	}
}

// lastWords are the last lines of a container, at most 4 KiB.
func (e *Engine) lastWords(ctx context.Context, id string) (string, error) {
	logs, err := e.client.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "10"})
	if err != nil {
		return "", fmt.Errorf("reading what container %q printed: %w", id, e.explain(ctx, err))
	}
	defer logs.Close()
	var said bytes.Buffer
	_, err = stdcopy.StdCopy(&said, &said, io.LimitReader(logs, 4<<10))
	if err != nil && said.Len() == 0 {
		return "", fmt.Errorf("reading what container %q printed: %w", id, err)
	}
	return strings.TrimSpace(said.String()), nil
}

// RemoveApart deletes a throw-away container with the unnamed volumes that its image made for it.
func (e *Engine) RemoveApart(ctx context.Context, id string) error {
	return e.control(ctx, "removing", id, e.timeout+2*stopGrace, func(ctx context.Context) error {
		return e.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
}
