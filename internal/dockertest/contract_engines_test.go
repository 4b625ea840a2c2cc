package dockertest_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"sandkeeper/internal/dockertest"
)

// engine is one daemon under the contract, with a running container that has label=contract and holds files.
type engine struct {
	*client.Client
	id    string
	label string
}

func onFake(t *testing.T) engine {
	d := dockertest.Start(t)
	c, err := client.NewClientWithOpts(client.WithHost(d.Host()), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	id := d.Add(dockertest.Container{
		Name: "contract", Image: "contract:1", Labels: map[string]string{"sandkeeper.contract": "x"}, Files: slices.Clone(files),
		Exec: func([]string) (string, string, int) { return "out\n", "err\n", 3 },
	})
	return engine{c, id, "sandkeeper.contract=x"}
}

// onReal makes a container of busybox alone. Without a daemon the test is skipped, loudly; SANDKEEPER_REQUIRE_DOCKER=1 makes that a
// failure.
func onReal(t *testing.T) engine {
	give := t.Skipf
	if os.Getenv("SANDKEEPER_REQUIRE_DOCKER") == "1" {
		give = t.Fatalf
	}
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.ServerVersion(t.Context()); err != nil {
		give("this machine has no docker daemon that answers: %v", err)
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		give("this machine has no static busybox to make an image of: %v", err)
	}
	unique := fmt.Sprintf("sandkeeper-contract-%d", time.Now().UnixNano())
	root := pack(t, []dockertest.File{{Path: "/bin/busybox", Mode: 0o755, Data: busybox}, {Path: "/etc/passwd", Data: []byte("root\n")}})
	imported, err := c.ImageImport(t.Context(), image.ImportSource{Source: root, SourceName: "-"}, unique+":1", image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, imported); err != nil {
		t.Fatal(err)
	}
	cleanUp(t, func() error {
		_, err := c.ImageRemove(context.Background(), unique+":1", image.RemoveOptions{Force: true})
		return err
	})
	made, err := c.ContainerCreate(t.Context(), &container.Config{
		Image: unique + ":1", Cmd: []string{"/bin/busybox", "sleep", "600"}, Labels: map[string]string{"sandkeeper.contract": unique},
		NetworkDisabled: true,
	}, &container.HostConfig{NetworkMode: "none"}, nil, nil, unique)
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, func() error {
		return c.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true})
	})
	if err := c.CopyToContainer(t.Context(), made.ID, "/", pack(t, files), container.CopyToContainerOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	return engine{c, made.ID, "sandkeeper.contract=" + unique}
}

func cleanUp(t *testing.T, do func() error) {
	t.Cleanup(func() {
		if err := do(); err != nil && !errdefs.IsNotFound(err) {
			t.Errorf("cleaning up: %v", err)
		}
	})
}

func pack(t *testing.T, files []dockertest.File) io.Reader {
	t.Helper()
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, f := range files {
		h := &tar.Header{
			Name: strings.TrimPrefix(f.Path, "/"), Typeflag: f.Type, Mode: f.Mode, Uid: f.UID, Gid: f.GID, ModTime: f.ModTime,
			Size: int64(len(f.Data)), Linkname: f.Link,
		}
		if f.Type == tar.TypeLink {
			h.Linkname = strings.TrimPrefix(f.Link, "/")
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &buffer
}
