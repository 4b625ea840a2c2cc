package engine

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/docker/docker/api"

	"sandkeeper/drift"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

// oldestLevel is the oldest version of the API that the docker client was written for: it falls back to that one.
const oldestLevel = "1.24"

// Everything that a backup, a restore and an upgrade ask works from the oldest version of the API that our client speaks to engines that
// are newer than it; 1.44 is the oldest that Docker 29 takes.
func TestEveryLevelOfTheAPI(t *testing.T) {
	for _, level := range []struct{ oldest, newest string }{
		{"1.12", oldestLevel}, {"1.12", "1.30"}, {"1.12", "1.41"}, {"1.24", api.DefaultVersion}, {"1.44", api.DefaultVersion}, {"1.44", "1.99"}, {api.DefaultVersion, "1.60"},
	} {
		t.Run(level.oldest+" to "+level.newest, func(t *testing.T) {
			d := dockertest.Start(t)
			d.Speaks(level.oldest, level.newest)
			id := d.Add(dockertest.Container{
				Name: "openshell-alpha", Image: "sandbox:1", Workdir: "/sandbox",
				Labels: map[string]string{LabelManagedBy: "openshell", LabelSandboxName: "alpha", LabelSandboxID: "id-alpha"},
				Files:  []dockertest.File{{Path: "/sandbox", Type: tar.TypeDir, Mode: 0o755}, {Path: "/sandbox/f", Type: tar.TypeReg, Mode: 0o600, UID: 998, Data: []byte("x")}},
				Exec:   func([]string) (string, string, int) { return "out", "", 0 },
			})
			e, state := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + d.Host()})})
			if e == nil || state.APIVersion != level.newest {
				t.Fatalf("%+v", state)
			}
			defer e.Close()
			everything(t, e, id)
		})
	}
}

// everything asks an engine what the program asks.
func everything(t *testing.T, e *Engine, id string) {
	t.Helper()
	ctx := t.Context()
	found, err := e.Sandboxes(ctx)
	if err != nil || len(found) != 1 || found[0].SandboxName != "alpha" {
		t.Errorf("listing: %+v, %v", found, err)
	}
	_, missing := e.Inspect(ctx, "nowhere")
	fact, statErr := e.Stat(ctx, id, "/sandbox/f")
	if !errors.Is(missing, fs.ErrNotExist) || statErr != nil || fact.Size != 1 {
		t.Errorf("inspect: %v; stat: %+v, %v", missing, fact, statErr)
	}
	stream, err := e.Read(ctx, id, "/sandbox")
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	content, err := io.ReadAll(stream)
	if err := errors.Join(err, stream.Close(), e.Write(ctx, id, "/", strings.NewReader(string(content)))); err != nil {
		t.Errorf("read and write back: %v", err)
	}
	out, exit, err := e.Exec(ctx, id, []string{"true"})
	if err != nil || exit != 0 || string(out) != "out" {
		t.Errorf("exec: %q, %d, %v", out, exit, err)
	}
	_, describeErr := e.Describe(ctx, id, true)
	_, identityErr := e.Identity(ctx)
	_, layerErr := e.Layer(ctx, id)
	if describeErr != nil || identityErr != nil || layerErr == nil { // without the description of a driver, as newer engines answer, no layer is known
		t.Errorf("describe: %v; identity: %v; layer: %v", describeErr, identityErr, layerErr)
	}
	workdir, err := e.ImageWorkdir(ctx, "sandbox:1")
	if err != nil || workdir != "/sandbox" {
		t.Errorf("image: %q, %v", workdir, err)
	}
	for _, act := range []func() error{
		func() error { return e.Pause(ctx, id) }, func() error { return e.Pause(ctx, id) }, func() error { return e.Unpause(ctx, id) }, func() error { return e.Stop(ctx, id) },
		func() error { return e.Start(ctx, id) }, func() error { _, err := e.Commit(ctx, id, "kept:1", Keep{}); return err }, func() error { return e.RemoveImage(ctx, "kept:1") },
		func() error { return e.Remove(ctx, id) },
	} {
		if err := act(); err != nil {
			t.Errorf("acting: %v", err)
		}
	}
}

// An engine for which our client is too old is unknown, in the engine's own sentence. One that is older than oldestLevel is what the check
// engine-api is about.
func TestALevelThatIsNotSpokenIsSaid(t *testing.T) {
	d := dockertest.Start(t)
	d.Speaks("1.60", "1.70")
	e, state := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + d.Host()})})
	want := "client version " + api.DefaultVersion + " is too old. Minimum supported API version is 1.60"
	if e != nil || state.State != drift.Unknown || !strings.Contains(state.Why, want) {
		t.Errorf("%+v", state)
	}
}
