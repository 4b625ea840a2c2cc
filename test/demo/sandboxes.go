package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"sandkeeper/test/e2e/gateway"
)

// home is what the agents have written into their sandboxes.
func home() map[string]string {
	return map[string]string{
		"sandbox/notes/2026-11-21.md": "# Standup\n\nThe agent kept this in its sandbox, and nowhere else.\n",
		"sandbox/.config/agent.json":  "{\"memory\": [\"likes short answers\"]}\n",
		"sandbox/work/report.csv":     "day,runs\n2026-11-20,41\n2026-11-21,17\n",
	}
}

// sandboxes makes the two sandboxes and registers them. What it returns removes them; it is never nil.
func (d *demo) sandboxes(ctx context.Context) (release func() error, err error) {
	release = func() error { return nil }
	if err := d.Register(names()...); err != nil {
		return release, err
	}
	if err := d.Write(".nemoclaw/source/agents/openclaw/manifest.yaml", "expected_version: \""+agentVersion+"\"\n"); err != nil {
		return release, err
	}
	engine, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return release, err
	}
	probe, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if ping, err := engine.Ping(probe); err != nil || ping.OSType != "linux" {
		fmt.Fprintln(d.out, "No container engine answers: the sandboxes are folders, read through `openshell sandbox exec`.")
		return release, errors.Join(engine.Close(), d.folders())
	}
	c := &containers{demo: d, engine: engine}
	return c.remove, c.make(ctx)
}

func (d *demo) folders() error {
	for _, name := range names() {
		for path, content := range home() {
			if err := d.Write(filepath.Join("sandboxes", name, path), content); err != nil {
				return err
			}
		}
	}
	return d.rows(nil)
}

// containers are the sandboxes on a real engine, named and labelled as OpenShell's docker driver does it.
type containers struct {
	*demo
	engine *client.Client
	made   []string
	images []string
}

func (c *containers) make(ctx context.Context) error {
	fmt.Fprintln(c.out, "A container engine answers: the sandboxes are real containers.")
	c.byName, c.demo.engine = true, c.engine.DaemonHost()
	if err := c.others(ctx); err != nil {
		return err
	}
	ids := map[string]string{}
	for i, name := range names() {
		reference, supervisor := c.image(name), []string{before, old}[i]
		if err := c.importImage(ctx, reference, supervisor); err != nil {
			return err
		}
		ids[name] = gateway.NewID()
		if err := c.sandbox(ctx, name, ids[name], reference); err != nil {
			return err
		}
	}

	return c.rows(ids)
}

// others names our sandboxes in every command when the engine has other ones as well.
func (c *containers) others(ctx context.Context) error {
	found, err := c.engine.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", "openshell.ai/managed-by=openshell")),
	})
	if err != nil || len(found) == 0 {
		return err
	}
	fmt.Fprintf(c.out, "It holds %d sandbox container(s) of yours; the demo leaves them alone.\n", len(found))
	for _, name := range names() {
		c.only = append(c.only, "--only", name)
	}
	return nil
}

// importImage makes an image that holds a main process, an agent, and a supervisor of the given version.
func (c *containers) importImage(ctx context.Context, reference, supervisor string) error {
	files := map[string]string{}
	for path, version := range map[string]string{
		"opt/openshell/bin/openshell-sandbox": supervisor, "usr/local/bin/openclaw": agentVersion,
	} {
		program, err := c.Programs.InSandbox(version)
		if err != nil {
			return err
		}
		files[path] = program
	}

	rootfs, err := archive(0o755, files)
	if err != nil {
		return err
	}
	out, err := c.engine.ImageImport(ctx, image.ImportSource{Source: rootfs, SourceName: "-"}, reference, image.ImportOptions{})
	if err != nil {
		return err
	}
	c.images = append(c.images, reference)
	_, err = io.Copy(io.Discard, out)
	return errors.Join(err, out.Close())
}

func (c *containers) sandbox(ctx context.Context, name, id, reference string) error {
	full := "openshell-default--" + name + "-" + id
	_, err := c.engine.ContainerCreate(ctx, &container.Config{Image: reference, Cmd: []string{"/opt/openshell/bin/openshell-sandbox"}, Labels: map[string]string{
		"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-id": id, "openshell.ai/sandbox-name": name,
		"openshell.ai/sandbox-namespace": "default", "openshell.ai/sandbox-workspace": "default",
	}}, &container.HostConfig{NetworkMode: "none"}, nil, nil, full)
	if err != nil {
		return err
	}
	c.made = append(c.made, full)
	files, err := archive(0o644, home())
	if err != nil {
		return err
	}
	if err := c.engine.CopyToContainer(ctx, full, "/", files, container.CopyToContainerOptions{}); err != nil {
		return err
	}
	return c.engine.ContainerStart(ctx, full, container.StartOptions{})
}

func (c *containers) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var failures []error
	for _, name := range c.made {
		failures = append(failures, c.engine.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}))
	}
	for _, reference := range c.images {
		_, err := c.engine.ImageRemove(ctx, reference, image.RemoveOptions{Force: true})
		failures = append(failures, err)
	}
	return errors.Join(append(failures, c.engine.Close())...)
}

func archive(mode int64, files map[string]string) (io.Reader, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content)), ModTime: time.Now()}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, content); err != nil {
			return nil, err
		}
	}
	return &b, w.Close()
}
