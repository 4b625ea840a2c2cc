package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

func dial(t testing.TB, daemon *dockertest.Daemon) *Engine {
	t.Helper()
	engine, state := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + daemon.Host()}), Timeout: 20 * time.Second})
	if engine == nil {
		t.Fatalf("Dial = %+v", state)
	}
	t.Cleanup(func() { engine.Close() })
	return engine
}

func TestSandboxes(t *testing.T) {
	daemon := dockertest.Start(t)
	born := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	labels := map[string]string{
		LabelManagedBy: "openshell", LabelSandboxID: "id-1", LabelSandboxName: "beta", LabelNamespace: "ns", LabelWorkspace: "team",
	}
	beta := daemon.Add(dockertest.Container{
		Name: "openshell-beta", Labels: labels, Image: "img:1", ImageID: "sha256:1", State: "exited", Created: born,
		Mounts: []dockertest.Mount{{Type: "bind", Source: "/host", Destination: "/data"}},
	})
	alpha := daemon.Add(dockertest.Container{
		Name: "openshell-alpha", Image: "img:1", ImageID: "sha256:1", Created: born,
		Labels: map[string]string{LabelPodman: "true", LabelManagedBy: "openshell", LabelSandboxName: "alpha"},
		Mounts: []dockertest.Mount{{Type: "volume", Name: "alpha-home", Source: "/v", Destination: "/sandbox"}},
	})
	daemon.Add(dockertest.Container{Name: "postgres"})
	daemon.Add(dockertest.Container{Name: "other", Labels: map[string]string{LabelManagedBy: "somebody"}})

	got, err := dial(t, daemon).Sandboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Container{
		{
			ID: alpha, Host: daemon.Host(), Name: "openshell-alpha", SandboxName: "alpha", Podman: true, Image: "img:1", ImageID: "sha256:1", State: "running",
			Labels:  map[string]string{LabelPodman: "true", LabelManagedBy: "openshell", LabelSandboxName: "alpha"},
			Mounts:  []Mount{{Type: "volume", Name: "alpha-home", Source: "/v", Destination: "/sandbox"}},
			Created: born,
		},
		{
			ID: beta, Host: daemon.Host(), Name: "openshell-beta", SandboxID: "id-1", SandboxName: "beta", Namespace: "ns", Workspace: "team", Image: "img:1",
			ImageID: "sha256:1", State: "exited", Labels: labels, Mounts: []Mount{{Type: "bind", Source: "/host", Destination: "/data"}}, Created: born,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Sandboxes (-want +got):\n%s", diff)
	}
	one, err := dial(t, daemon).Inspect(t.Context(), "openshell-beta")
	if err != nil {
		t.Fatal(err)
	}
	want[1].Started, want[1].Command = born, []string{"/bin/sh"} // which a listing does not say
	if diff := cmp.Diff(want[1], one); diff != "" {
		t.Errorf("Inspect (-want +got):\n%s", diff)
	}
}

func TestNoSandboxesIsAnEmptyListAndFailureIsNone(t *testing.T) {
	daemon := dockertest.Start(t)
	engine := dial(t, daemon)
	if got, err := engine.Sandboxes(t.Context()); got == nil || len(got) != 0 || err != nil {
		t.Errorf("Sandboxes = %v, %v, want an empty list that is not nil", got, err)
	}
	daemon.Break(dockertest.Fault{Call: "GET /containers/json", Skip: 1, Status: 500, Body: `{"message":"disk"}`})
	if got, err := engine.Sandboxes(t.Context()); got != nil || err == nil || !strings.Contains(err.Error(), "disk") {
		t.Errorf("Sandboxes = %v, %v, want no list and the reason", got, err)
	}
}

func TestSandboxesAsksTwiceWhateverTheNumber(t *testing.T) {
	daemon := dockertest.Start(t)
	for i := range 1000 {
		daemon.Add(dockertest.Container{Name: fmt.Sprintf("openshell-%04d", i), Labels: map[string]string{LabelManagedBy: "openshell"}})
	}
	engine := dial(t, daemon)
	before := len(daemon.Calls())
	got, err := engine.Sandboxes(t.Context())
	if err != nil || len(got) != 1000 || got[999].Name != "openshell-0999" {
		t.Fatalf("Sandboxes = %d, %v, want 1000 sorted", len(got), err)
	}
	if calls := len(daemon.Calls()) - before; calls != 2 {
		t.Errorf("%d requests for 1000 containers, want 2", calls)
	}
}

func TestControl(t *testing.T) {
	daemon := dockertest.Start(t)
	id := daemon.Add(dockertest.Container{Name: "box", Image: "img:1"})
	engine := dial(t, daemon)
	steps := []struct {
		name  string
		do    func(context.Context, string) error
		state string
	}{
		{"pause", engine.Pause, "paused"},
		{"pause again", engine.Pause, "paused"},
		{"unpause", engine.Unpause, "running"},
		{"unpause again", engine.Unpause, "running"},
		{"stop", engine.Stop, "exited"},
		{"stop again", engine.Stop, "exited"},
		{"unpause a stopped one", engine.Unpause, "exited"},
		{"start", engine.Start, "running"},
		{"start again", engine.Start, "running"},
		{"remove", engine.Remove, ""},
	}
	for _, step := range steps {
		if err := step.do(t.Context(), id); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if box, _ := daemon.Get(id); box.State != step.state {
			t.Errorf("after %s the container is %q, want %q", step.name, box.State, step.state)
		}
	}
	for name, do := range map[string]func(context.Context, string) error{
		"Pause": engine.Pause, "Unpause": engine.Unpause, "Start": engine.Start, "Stop": engine.Stop, "Remove": engine.Remove,
	} {
		if err := do(t.Context(), id); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), id) {
			t.Errorf("%s of a container that is gone: %v, want fs.ErrNotExist and its id", name, err)
		}
	}
}

func TestPauseOfAStoppedContainerFails(t *testing.T) {
	daemon := dockertest.Start(t)
	id := daemon.Add(dockertest.Container{Name: "box", State: "exited"})
	if err := dial(t, daemon).Pause(t.Context(), id); err == nil || !strings.Contains(err.Error(), "pausing container") {
		t.Errorf("Pause = %v, want a refusal", err)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	daemon := dockertest.Start(t)
	id := daemon.Add(dockertest.Container{Name: "box"})
	engine := dial(t, daemon)
	engine.timeout = 100 * time.Millisecond
	daemon.Break(dockertest.Fault{Hang: true})
	start := time.Now()
	if _, err := engine.Inspect(t.Context(), id); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "within 100ms") {
		t.Errorf("Inspect = %v, want the limit named", err)
	}
	if err := engine.Pause(t.Context(), id); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Pause = %v, want the limit", err)
	}
	if err := engine.plain(t.Context(), []Mount{{Type: "volume", Name: "v"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("plain = %v, want the limit", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("three requests with 100 ms each took %s", took)
	}
}

func TestImages(t *testing.T) {
	daemon := dockertest.Start(t)
	id := daemon.Add(dockertest.Container{Name: "box", Image: "img:1"})
	engine := dial(t, daemon)
	made, err := engine.Commit(t.Context(), id, "sandkeeper/rollback:box", Keep{Labels: map[string]string{"note": "kept"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := engine.ImageID(t.Context(), "sandkeeper/rollback:box"); got != made || err != nil {
		t.Errorf("ImageID = %q, %v, want %q", got, err, made)
	}
	if err := engine.RemoveImage(t.Context(), "sandkeeper/rollback:box"); err != nil {
		t.Error(err)
	}
	if err := engine.RemoveImage(t.Context(), "sandkeeper/rollback:box"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("RemoveImage again: %v, want fs.ErrNotExist", err)
	}
	if _, err := engine.ImageID(t.Context(), "sandkeeper/rollback:box"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ImageID of nothing: %v, want fs.ErrNotExist", err)
	}
}

// TestACommitKeepsItsLayersUntilItsImageIsMade: a containerd image store gives up the layers of an image whose name a
// load takes, while it makes the other image of them.
func TestACommitKeepsItsLayersUntilItsImageIsMade(t *testing.T) {
	daemon := dockertest.Start(t)
	id := daemon.Add(dockertest.Container{Name: "box", Image: "img:1"})
	daemon.ForgetsImages()
	engine := dial(t, daemon)
	if _, err := engine.Commit(t.Context(), id, "rollback:box", Keep{}); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.ImageID(t.Context(), Unfinished("rollback:box")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was committed is there still: %v", err)
	}
}

// TestACommitIsMadeAlsoWhereSomebodyCleansUpBesideIt: that what it worked on is gone already is no failure, and does not
// say that the container is gone.
func TestACommitIsMadeAlsoWhereSomebodyCleansUpBesideIt(t *testing.T) {
	daemon := dockertest.Start(t)
	id := daemon.Add(dockertest.Container{Name: "box", Image: "img:1"})
	daemon.Break(dockertest.Fault{Call: "DELETE /images", Status: 404, Body: `{"message":"No such image"}`})
	if made, err := dial(t, daemon).Commit(t.Context(), id, "rollback:box", Keep{}); err != nil || made == "" {
		t.Errorf("Commit = %q, %v", made, err)
	}
}

// TestRemoveImageRemovesWhatAKilledCommitLeft: until its image is whole, it has another name.
func TestRemoveImageRemovesWhatAKilledCommitLeft(t *testing.T) {
	daemon := dockertest.Start(t)
	id := daemon.Add(dockertest.Container{Name: "box", Image: "img:1"})
	engine := dial(t, daemon)
	daemon.Break(dockertest.Fault{Call: "POST /images/load", Status: 500, Body: `{"message":"killed"}`})
	if _, err := engine.Commit(t.Context(), id, "rollback:box", Keep{}); err == nil {
		t.Fatal("the image was made although no load succeeded")
	}
	if _, err := engine.ImageID(t.Context(), Unfinished("rollback:box")); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.ImageID(t.Context(), "rollback:box"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half an image has the name of a whole: %v", err)
	}
	if err := engine.RemoveImage(t.Context(), "rollback:box"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("RemoveImage = %v, want fs.ErrNotExist", err)
	}
	if _, err := engine.ImageID(t.Context(), Unfinished("rollback:box")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the killed commit left is there still: %v", err)
	}
}

func TestExec(t *testing.T) {
	daemon := dockertest.Start(t)
	answers := map[string]string{"hello": "out\n", "babble": strings.Repeat("x", ExecOutputLimit+1)}
	id := daemon.Add(dockertest.Container{Name: "box", Exec: func(argv []string) (string, string, int) { return answers[argv[0]], "noise", 3 }})
	engine := dial(t, daemon)
	if out, exit, err := engine.Exec(t.Context(), id, []string{"hello"}); !bytes.Equal(out, []byte("out\n")) || exit != 3 || err != nil {
		t.Errorf("Exec = %q, %d, %v, want out, 3", out, exit, err)
	}
	if _, _, err := engine.Exec(t.Context(), id, []string{"babble"}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("Exec of a babbler: %v, want a refusal", err)
	}
	daemon.Break(dockertest.Fault{Call: "POST /exec", Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := engine.Exec(ctx, id, []string{"hello"}); err == nil {
		t.Error("Exec that hangs returned without an error")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	daemon := dockertest.Start(t)
	engine := dial(t, daemon)
	daemon.Break(dockertest.Fault{Call: "GET /containers/json", Status: 200, Body: "[" + strings.Repeat(" ", answerLimit) + "]"})
	if _, err := engine.Sandboxes(t.Context()); err == nil {
		t.Error("an answer without end was read to its end")
	}
}

func BenchmarkSandboxes(b *testing.B) {
	daemon := dockertest.Start(b)
	for i := range 1000 {
		daemon.Add(dockertest.Container{Name: fmt.Sprintf("openshell-%04d", i), Labels: map[string]string{LabelManagedBy: "openshell"}})
	}
	engine := dial(b, daemon)
	for b.Loop() {
		if _, err := engine.Sandboxes(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
