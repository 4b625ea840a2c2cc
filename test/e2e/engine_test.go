package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
)

// engine is the real container engine of this machine. Images are made from this machine's static busybox, nothing is pulled;
// everything that a test makes is removed with it.
type engine struct {
	t      *testing.T
	client *client.Client
	home   string // of its sandboxes, which put and now are about; "" is /sandbox
}

func (e *engine) workspace() string {
	if e.home == "" {
		return "/sandbox"
	}
	return e.home
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.Ping(ctx); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_DOCKER", fmt.Sprintf("a container engine (%v)", err))
	}
	if _, err := os.Stat("/bin/busybox"); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_DOCKER", "a static /bin/busybox to make images from (Debian: busybox-static)")
	}
	return &engine{t: t, client: c}
}

// image makes a busybox image under the given reference, unless it is there.
func (e *engine) image(reference string) {
	e.t.Helper()
	if _, err := e.client.ImageInspect(e.t.Context(), reference); err == nil {
		return
	}
	e.build(reference)
	e.t.Cleanup(func() {
		if _, err := e.client.ImageRemove(context.Background(), reference, image.RemoveOptions{Force: true}); err != nil {
			e.t.Errorf("image %s is left behind: %v", reference, err)
		}
	})
}

// build makes an image under a reference: busybox, an empty home, and more. The caller removes it.
func (e *engine) build(reference string, more ...entry) (id string) {
	e.t.Helper()
	return e.buildWith(reference, nil, more...)
}

// buildWith makes such an image with the given Dockerfile instructions.
func (e *engine) buildWith(reference string, changes []string, more ...entry) (id string) {
	e.t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		e.t.Fatal(err)
	}
	rootfs := archive(e.t, append([]entry{
		{name: "bin/busybox", mode: 0o755, content: string(busybox)},
		{name: "bin/sh", link: "busybox"},
		{name: "bin/sleep", link: "busybox"},
		{name: "tmp", dir: true, mode: 0o1777},
		{name: "sandbox", dir: true, mode: 0o755},
	}, more...))
	out, err := e.client.ImageImport(e.t.Context(), image.ImportSource{Source: rootfs, SourceName: "-"}, reference, image.ImportOptions{Changes: changes})
	if err != nil {
		e.t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(io.Discard, out); err != nil {
		e.t.Fatal(err)
	}
	made, err := e.client.ImageInspect(e.t.Context(), reference)
	if err != nil {
		e.t.Fatal(err)
	}
	return made.ID
}

// create makes a container that sleeps once started.
func (e *engine) create(name string, c container.Config, h container.HostConfig) {
	e.t.Helper()
	if c.Cmd == nil {
		c.Cmd = []string{"/bin/sleep", "600"}
	}
	h.RestartPolicy.Name = container.RestartPolicyDisabled
	if _, err := e.client.ContainerCreate(e.t.Context(), &c, &h, &network.NetworkingConfig{}, nil, name); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		if err := e.client.ContainerRemove(context.Background(), name, container.RemoveOptions{Force: true}); err != nil {
			e.t.Errorf("container %s is left behind: %v", name, err)
		}
	})
}

func (e *engine) start(name string) {
	e.t.Helper()
	if err := e.client.ContainerStart(e.t.Context(), name, container.StartOptions{}); err != nil {
		e.t.Fatal(err)
	}
}

// sandbox makes a container as OpenShell's docker driver does (crates/openshell-driver-docker): its name, its labels, its home.
func (e *engine) sandbox(h *host, name, id string, home []entry) {
	e.t.Helper()
	reference := fmt.Sprintf("e2e%d/sandbox-from:1", h.Port)
	e.image(reference)
	containerName := "openshell-default--" + name + "-" + id
	e.create(containerName, container.Config{Image: reference, Labels: map[string]string{
		"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-id": id, "openshell.ai/sandbox-name": name,
		"openshell.ai/sandbox-namespace": "default", "openshell.ai/sandbox-workspace": "default",
	}}, container.HostConfig{NetworkMode: "none"})
	err := e.client.CopyToContainer(e.t.Context(), containerName, "/sandbox", archive(e.t, home), container.CopyToContainerOptions{})
	if err != nil {
		e.t.Fatal(err)
	}
}

// cluster makes and starts the cluster container of OpenShell 0.0.36 and older, with its port published on 127.0.0.1.
func (e *engine) cluster(h *host, repository, tag string, port int) (name string) {
	e.t.Helper()
	reference := fmt.Sprintf("e2e%d/%s:%s", h.Port, repository, tag)
	name = "openshell-cluster-" + h.Gateway()
	e.image(reference)
	inside := nat.Port("30051/tcp")
	e.create(name, container.Config{
		Image: reference, ExposedPorts: nat.PortSet{inside: {}},
	}, container.HostConfig{PortBindings: nat.PortMap{inside: {{HostIP: "127.0.0.1", HostPort: fmt.Sprint(port)}}}})
	e.start(name)
	return name
}

func (e *engine) stop(name string) {
	e.t.Helper()
	now := 0
	if err := e.client.ContainerStop(e.t.Context(), name, container.StopOptions{Timeout: &now}); err != nil {
		e.t.Fatal(err)
	}
}

// entry is one file, folder or link to be put somewhere.
type entry struct {
	name, content, link string
	dir, hard           bool
	mode                int64
	uid                 int
}

func archive(t *testing.T, entries []entry) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Uid: e.uid, Gid: e.uid, Typeflag: tar.TypeReg, Size: int64(len(e.content)), ModTime: time.Unix(1780391612, 0)}
		switch {
		case e.dir:
			h.Typeflag, h.Name = tar.TypeDir, strings.TrimSuffix(e.name, "/")+"/"
		case e.hard:
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, e.link, 0
		case e.link != "":
			h.Typeflag, h.Linkname, h.Size, h.Mode = tar.TypeSymlink, e.link, 0, 0o777
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(w, e.content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// removeImageLater takes an image away when the test ends.
func (e *engine) removeImageLater(reference string) {
	e.t.Cleanup(func() {
		if _, err := e.client.ImageRemove(context.Background(), reference, image.RemoveOptions{Force: true}); err != nil {
			e.t.Errorf("image %s is left behind: %v", reference, err)
		}
	})
}

// listens waits until the program of a container says on which port it listens.
func (e *engine) listens(t *testing.T, name string, port int) {
	t.Helper()
	_, listens := waitFor(waitLimit, func() bool {
		logs, err := e.client.ContainerLogs(t.Context(), name, container.LogsOptions{ShowStdout: true, ShowStderr: true})
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(logs)
		logs.Close()
		return strings.Contains(string(content), fmt.Sprint(port))
	})
	if !listens {
		t.Fatalf("container %s does not say that it listens on %d", name, port)
	}
}
