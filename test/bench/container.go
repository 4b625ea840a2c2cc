package main

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// container is a sandbox on the real engine, named and labelled as OpenShell's docker driver does it, with busybox
// inside.
type container struct{ name, sandbox string }

// lacksDocker says why no container can be made; "" when one can.
func lacksDocker(ctx context.Context) string {
	if !installed("docker") {
		return "there is no docker command"
	}
	if _, err := docker(ctx, nil, "version", "--format", "{{.Server.Version}}"); err != nil {
		return err.Error()
	}
	if _, err := os.Stat("/bin/busybox"); err != nil {
		return "there is no static /bin/busybox to make an image from (Debian: busybox-static)"
	}
	return ""
}

// image imports an image of busybox with an empty /sandbox.
func (b *bench) image(ctx context.Context) (string, error) {
	reference := fmt.Sprintf("sandkeeper-bench-%d:1", os.Getpid())
	err := b.pipe(func(to io.Writer) error { return rootfs(to) }, func(from io.Reader) error {
		_, err := docker(ctx, from, "import", "-", reference)
		return err
	})
	if err == nil {
		b.remove = append(b.remove, func() error {
			_, err := docker(context.Background(), nil, "rmi", "-f", reference)
			return err
		})
	}
	return reference, err
}

// pipe lets make write what use reads.
func (b *bench) pipe(make func(io.Writer) error, use func(io.Reader) error) error {
	from, to := io.Pipe()
	go func() { to.CloseWithError(make(to)) }()
	err := use(from)
	from.CloseWithError(io.ErrClosedPipe)
	return err
}

func rootfs(to io.Writer) error {
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return err
	}
	w := tar.NewWriter(to)
	if err := file(w, "bin/busybox", 0o755, int64(len(busybox)), strings.NewReader(string(busybox))); err != nil {
		return err
	}
	for _, name := range []string{"sandbox", "tmp"} {
		if err := folder(w, name); err != nil {
			return err
		}
	}

	return w.Close()
}

// named is a sandbox of this process alone: two benchmarks on one engine must not claim each other's.
func named(name string) container {
	sandbox := fmt.Sprintf("bench-%s-%d", name, os.Getpid())
	return container{name: "openshell-default--" + sandbox, sandbox: sandbox}
}

// sandbox makes a container. One that runs only sleeps, and dies at once when it is told to.
func (b *bench) sandbox(ctx context.Context, image, name string, running bool) (container, error) {
	c := named(name)
	args := []string{
		"create", "--name", c.name, "--network", "none", "--stop-signal", "KILL", "--label", "openshell.ai/managed-by=openshell",
		"--label", "openshell.ai/sandbox-id=" + c.sandbox, "--label", "openshell.ai/sandbox-name=" + c.sandbox,
		"--label", "openshell.ai/sandbox-namespace=default", "--label", "openshell.ai/sandbox-workspace=default",
		image, "/bin/busybox", "sleep", "86400",
	}
	if _, err := docker(ctx, nil, args...); err != nil {
		return c, err
	}
	b.remove = append(b.remove, c.remove)
	if !running {
		return c, nil
	}
	_, err := docker(ctx, nil, "start", c.name)
	return c, err
}

// remove is no error for a container that is gone already.
func (c container) remove() error {
	_, err := docker(context.Background(), nil, "rm", "-f", "-v", c.name)
	return err
}

// fill writes a home into the container's writable layer.
func (b *bench) fill(ctx context.Context, c container, write func(to io.Writer, top string) error) error {
	return b.pipe(func(to io.Writer) error { return write(to, "sandbox") }, func(from io.Reader) error {
		_, err := docker(ctx, from, "cp", "-", c.name+":/")
		return err
	})
}

// unpack writes the data set as plain files, for the tools that do not read containers.
func (b *bench) unpack(ctx context.Context, d dataSet, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return b.pipe(func(to io.Writer) error { return d.write(to, "sandbox") }, func(from io.Reader) error {
		tar := exec.CommandContext(ctx, "tar", "-x", "--same-owner", "-f", "-", "-C", dir)
		tar.Stdin = from
		if out, err := tar.CombinedOutput(); err != nil {
			return fmt.Errorf("tar: %w: %s", err, out)
		}
		return nil
	})
}
