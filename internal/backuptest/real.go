package backuptest

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/sandbox"
)

var realImage = sync.OnceValues(func() (string, error) {
	e, state := engine.Dial(context.Background(), engine.Dialing{Env: env.Parse(os.Environ())})
	if e == nil {
		return "", fmt.Errorf("no container engine: %s", state.Why)
	}
	ref := "sk-bk-test:busybox"
	if _, err := e.ImageID(context.Background(), ref); err == nil {
		return ref, nil
	}
	rootfs, err := busyboxRoot()
	if err != nil {
		return "", err
	}
	answer, err := e.Client().ImageImport(context.Background(), image.ImportSource{Source: rootfs, SourceName: "-"}, ref, image.ImportOptions{})
	if err != nil {
		return "", err
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer)
	return ref, err
})

func busyboxRoot() (io.Reader, error) {
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, dir := range []string{"bin/", "tmp/", "sandbox/", "proc/", "etc/"} {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755})
	}
	_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755, Size: int64(len(program))})
	_, _ = w.Write(program)
	for _, name := range []string{"sh", "sleep", "dd", "tar", "cat", "mv", "rm", "mkdir", "wc", "true"} {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777})
	}
	return &out, w.Close()
}

// RealEngine is the machine's container engine.
func RealEngine(t *testing.T) *engine.Engine {
	t.Helper()
	if _, err := realImage(); err != nil {
		if os.Getenv("SANDKEEPER_REQUIRE_DOCKER") == "1" {
			t.Fatalf("SANDKEEPER_REQUIRE_DOCKER=1: %v", err)
		}
		t.Skipf("SKIPPED, needs a real container engine and /bin/busybox: %v", err)
	}

	e, state := engine.Dial(t.Context(), engine.Dialing{Env: env.Parse(os.Environ())})
	if e == nil {
		t.Fatalf("the container engine is gone: %s", state.Why)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

var realCount atomic.Int64

// RealSandbox makes a container as OpenShell's docker driver would, and removes it after the test.
func RealSandbox(t *testing.T, e *engine.Engine, running bool, host *container.HostConfig) sandbox.Sandbox {
	t.Helper()
	ref, err := realImage()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("sk-bk-%d-%d", os.Getpid(), realCount.Add(1))
	if host == nil {
		host = &container.HostConfig{}
	}
	host.NetworkMode = "none"
	made, err := e.Client().ContainerCreate(t.Context(), &container.Config{
		Image: ref, StopSignal: "SIGKILL", Cmd: []string{"/bin/sleep", "100000"}, Env: []string{"API_KEY=very-secret", "PLAIN=x"},
		Labels: map[string]string{engine.LabelManagedBy: "openshell", engine.LabelSandboxName: name, engine.LabelSandboxID: "id-" + name},
	}, host, nil, nil, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(context.Background(), made.ID); err != nil {
			t.Error(err)
		}
	})
	if running {
		if err := e.Start(t.Context(), made.ID); err != nil {
			t.Fatal(err)
		}
	}

	c, err := e.Inspect(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	standing := sandbox.Stopped
	if running {
		standing = sandbox.Ready
	}
	return sandbox.Sandbox{Name: name, Registered: true, Container: &c, Standing: standing, Route: sandbox.ByContainer, ID: c.SandboxID}
}

// FillHome writes entries into the home of a real sandbox.
func FillHome(t *testing.T, e *engine.Engine, sb sandbox.Sandbox, entries ...Entry) {
	t.Helper()
	packed := TarBytes(t, "sandbox", entries...)
	if err := e.Write(t.Context(), sb.Container.ID, "/", bytes.NewReader(packed)); err != nil {
		t.Fatal(err)
	}
}

// AssertRunning checks whether a real sandbox runs, unpaused.
func AssertRunning(t *testing.T, e *engine.Engine, sb sandbox.Sandbox, running bool) {
	t.Helper()
	c, err := e.Inspect(t.Context(), sb.Container.ID)
	if err != nil {
		t.Fatal(err)
	}
	if c.Running() != running || c.Paused() {
		t.Errorf("container is %q afterwards, want running %t", c.State, running)
	}
}

// InventoryOf is an inventory of these sandboxes.
func InventoryOf(sandboxes ...sandbox.Sandbox) sandbox.Inventory {
	return sandbox.Inventory{Sandboxes: sandboxes, Source: "containers"}
}
