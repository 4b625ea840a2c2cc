package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"sandkeeper/drift"
	"sandkeeper/internal/env"
)

// realEngine is this machine's engine with a container of busybox alone. Without an engine the test is skipped, loudly;
// SANDKEEPER_REQUIRE_DOCKER=1 makes that a failure.
func realEngine(t *testing.T) (engine *Engine, name string) {
	t.Helper()
	give := t.Skipf
	if os.Getenv("SANDKEEPER_REQUIRE_DOCKER") == "1" {
		give = t.Fatalf
	}
	engine, state := Dial(t.Context(), Dialing{Env: env.Parse(os.Environ())})
	busybox, err := os.ReadFile("/bin/busybox")
	if state.State != drift.Known || err != nil {
		give("this machine has no container engine, or no static busybox: %+v, %v", state, err)
	}
	name = fmt.Sprintf("sandkeeper-engine-%d", time.Now().UnixNano())
	var root bytes.Buffer
	w := tar.NewWriter(&root)
	if err := errors.Join(
		w.WriteHeader(&tar.Header{Name: "bin/busybox", Mode: 0o755, Size: int64(len(busybox))}), second(w.Write(busybox)), w.Close(),
	); err != nil {
		t.Fatal(err)
	}
	c := engine.Client()
	answer, err := c.ImageImport(t.Context(), image.ImportSource{Source: &root, SourceName: "-"}, name+":1", image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.RemoveImage(context.Background(), name+":1") })
	_, err = c.ContainerCreate(t.Context(), &container.Config{
		Image: name + ":1", Cmd: []string{"/bin/busybox", "sleep", "600"}, Labels: map[string]string{LabelManagedBy: "openshell", LabelSandboxName: name},
	}, &container.HostConfig{NetworkMode: "none"}, nil, nil, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Remove(context.Background(), name) })
	return engine, name
}

func second[T any](_ T, err error) error { return err }

func TestEngineOnTheRealDaemon(t *testing.T) {
	engine, name := realEngine(t)
	steps := []struct {
		name  string
		do    func(context.Context, string) error
		state string
	}{
		{"start", engine.Start, "running"},
		{"start again", engine.Start, "running"},
		{"pause", engine.Pause, "paused"},
		{"pause again", engine.Pause, "paused"},
		{"unpause", engine.Unpause, "running"},
		{"unpause again", engine.Unpause, "running"},
	}
	for _, step := range steps {
		if err := step.do(t.Context(), name); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got, err := engine.Inspect(t.Context(), name); err != nil || got.State != step.state || got.SandboxName != name {
			t.Errorf("after %s: %+v, %v; want %s", step.name, got, err, step.state)
		}
	}
	out, exit, err := engine.Exec(t.Context(), name, []string{"/bin/busybox", "sh", "-c", "echo out; echo err >&2; exit 3"})
	if string(out) != "out\n" || exit != 3 || err != nil {
		t.Errorf("Exec = %q, %d, %v; want out, 3", out, exit, err)
	}
	listed, err := engine.Sandboxes(t.Context())
	found := false
	for _, c := range listed {
		found = found || c.Name == name && c.Running()
	}
	if err != nil || !found {
		t.Errorf("Sandboxes = %v, %v; want %s among them", listed, err, name)
	}
	made, err := engine.Commit(t.Context(), name, name+":kept", Keep{})
	if err != nil || !strings.HasPrefix(made, "sha256:") {
		t.Fatalf("Commit = %q, %v", made, err)
	}
	if got, err := engine.ImageID(t.Context(), name+":kept"); got != made || err != nil {
		t.Errorf("ImageID = %q, %v; want %q", got, err, made)
	}
	if err := errors.Join(engine.RemoveImage(t.Context(), name+":kept"), engine.Remove(t.Context(), name)); err != nil {
		t.Error(err)
	}
	if _, err := engine.Inspect(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Inspect of what was removed: %v, want fs.ErrNotExist", err)
	}
}
