package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/lifecycle"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade/classify"
)

// changing are the calls of an engine's log that change something.
func changing(calls []string) []string {
	return slices.DeleteFunc(slices.Clone(calls), func(call string) bool {
		return strings.HasPrefix(call, "GET ") || strings.HasPrefix(call, "HEAD ")
	})
}

// unmet is a precondition that is made to fail.
type unmet struct {
	name   string
	change func(*world, *fitted, *Target)
	codes  []string
	says   string
	fix    string
}

func unmetPreconditions() []unmet {
	return []unmet{
		{"name", func(_ *world, _ *fitted, s *Target) { s.Sandbox.Name = "Alpha" }, []string{NeedName, NeedRecipe}, "lower-case letters", ""},
		{"on another engine", func(_ *world, _ *fitted, s *Target) {
			there := *s.Sandbox.Container
			there.ID, there.Host = strings.Repeat("f", 64), "unix:///run/other.sock"
			s.Sandbox.Container = &there
		}, []string{NeedContainer}, "on another container engine (unix:///run/other.sock)", "sandkeeper upgrade-sandboxes --only alpha"},
		{"no container", func(_ *world, _ *fitted, s *Target) { s.Sandbox.Container = nil }, []string{NeedContainer}, "no container on this host", ""},
		{
			"paused", func(w *world, f *fitted, s *Target) { _ = f.engine.Pause(context.Background(), s.Sandbox.Container.ID) },
			[]string{NeedContainer},
			"is paused", "docker unpause openshell-alpha-id-alpha",
		},
		{"no recipe", func(w *world, _ *fitted, _ *Target) { w.fails("recipe", "unauthenticated") }, []string{NeedRecipe}, "unauthenticated", ""},
		{"another sandbox's recipe", func(_ *world, _ *fitted, s *Target) { s.Sandbox.ID = "id-other" }, []string{NeedRecipe}, "id id-alpha, not id-other", ""},
		{"two containers", func(_ *world, _ *fitted, s *Target) {
			s.Sandbox.Rivals = []engine.Container{*s.Sandbox.Container, *s.Sandbox.Container}
		}, []string{NeedContainer}, "2 containers claim it", ""},
		{"listed under another id", func(w *world, _ *fitted, _ *Target) { w.sandboxes["id-alpha"].ID = "id-other" }, []string{NeedGateway}, "does not list it under its id id-alpha", ""},
		{"listing fails", func(w *world, _ *fitted, _ *Target) { w.fails("list", "connection refused") }, []string{NeedGateway}, "connection refused", ""},
		{
			"no image", func(_ *world, f *fitted, _ *Target) { _ = f.engine.RemoveImage(context.Background(), "img:1") },
			[]string{NeedImage},
			`image "img:1" is not on this host`, "docker pull img:1",
		},
		{"providers gone", func(w *world, f *fitted, _ *Target) {
			r := w.recipes["id-alpha"]
			r.Providers = []string{"github", "slack"}
			w.recipes["id-alpha"] = r
			f.Providers = func(context.Context, driver.Place, []string) ([]string, error) { return []string{"slack"}, nil }
		}, []string{NeedProviders}, "no provider slack any more", ""},
		{"store locked", func(_ *world, f *fitted, _ *Target) {
			f.held, _ = f.backups.Store.Lock("another run") // kept: the lock goes when nothing holds its file any more
		}, []string{NeedBackup}, "another run", ""},
		{"no room", func(_ *world, f *fitted, _ *Target) {
			f.Room = func(context.Context, string) error { return errors.New("needs 5 bytes, and 4 are left") }
		}, []string{NeedRoom}, "4 are left", "docker system df"},
		{"several at once", func(w *world, f *fitted, _ *Target) {
			w.fails("list", "connection refused")
			_ = f.engine.RemoveImage(context.Background(), "img:1")
			f.Room = func(context.Context, string) error { return errors.New("no room") }
		}, []string{NeedGateway, NeedImage, NeedRoom}, "nothing was touched", "docker pull img:1"},
	}
}

func TestEveryPreconditionThatFailsIsNamedAndNothingIsTouched(t *testing.T) {
	for _, c := range unmetPreconditions() {
		t.Run(c.name, func(t *testing.T) {
			w := startWorld(t, "running", "alpha")
			f := w.fit(t)
			targets, err := f.targets(t.Context(), "alpha")
			if err != nil {
				t.Fatal(err)
			}
			c.change(w, f, &targets[0])
			before := len(changing(w.engine.Calls()))
			ready, refused, err := f.Preconditions(t.Context(), targets)
			if err != nil || len(ready) != 0 || len(refused) != 1 {
				t.Fatalf("Preconditions = %+v, %+v, %v", ready, refused, err)
			}
			var codes, fixes []string
			for _, p := range refused[0].Problems {
				codes = append(codes, p.Code)
				fixes = append(fixes, p.Fix)
			}
			if diff := cmp.Diff(c.codes, codes); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
			if !strings.Contains(refused[0].Reason, c.says) || !slices.Contains(fixes, c.fix) || refused[0].Outcome != Failed || refused[0].Step != StepPreconditions {
				t.Errorf("refused = %+v, want %q and the fix %q", refused[0], c.says, c.fix)
			}
			if refused[0].Busy != (c.name == "store locked") {
				t.Errorf("waits for another run: %v", refused[0].Busy)
			}
			if now := changing(w.engine.Calls()); len(now) != before {
				t.Errorf("the engine was asked to change something: %q", now[before:])
			}
			if slices.Contains(w.log, "create") || slices.Contains(w.log, "delete") {
				t.Errorf("the gateway was asked: %q", w.log)
			}
		})
	}
}

func TestWhatCannotBeLookedAtIsSaid(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	r := w.recipes["id-alpha"]
	r.Providers, r.Image, r.Spec = []string{"github"}, "", nil
	w.recipes["id-alpha"] = r
	targets, _ := f.targets(t.Context(), "alpha")
	ready, refused, err := f.Preconditions(t.Context(), targets)
	if err != nil || len(ready) != 1 {
		t.Fatalf("Preconditions = %+v, %+v, %v", ready, refused, err)
	}
	for _, want := range []string{"names no image", "(github)", "room for the rollback image"} {
		if !slices.ContainsFunc(ready[0].Warnings, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("warnings %q do not say %q", ready[0].Warnings, want)
		}
	}
}

// stale is a sandbox with one reason.
func stale(name, code string, managed bool) (classify.Checked, sandbox.Sandbox) {
	sb := sandbox.Sandbox{Name: name, Gateway: "gw"}
	if managed {
		sb.Row = &sandbox.Row{Name: name, Agent: "openclaw"}
	}
	return classify.Checked{Name: name, State: classify.Stale, Reasons: []classify.Reason{{Code: code, Current: "1", Expected: "2"}}}, sb
}

func TestPlan(t *testing.T) {
	cases := []struct {
		code     string
		managed  bool
		nemoclaw bool
		way      Way
	}{
		{classify.CodeImage, false, false, ByRecipe},
		{classify.CodeImage, false, true, ByRecipe},
		{classify.CodeImage, true, false, ByRecipe},
		{classify.CodeImage, true, true, ByNemoClaw},
		{classify.CodeSupervisor, false, false, ByRecipe},
		{classify.CodeFingerprint, true, true, ByNemoClaw},
		{classify.CodeAgentVersion, true, true, ByNemoClaw},
		{classify.CodeAgentVersion, true, false, ""},
		{classify.CodeFingerprint, true, false, ""},
	}
	for _, c := range cases {
		checked, sb := stale("alpha", c.code, c.managed)
		targets, others := Plan([]classify.Checked{checked}, []sandbox.Sandbox{sb}, nil, c.nemoclaw)
		switch {
		case c.way != "" && (len(targets) != 1 || targets[0].Way != c.way):
			t.Errorf("%+v: Plan = %+v, %+v", c, targets, others)
		case c.way == "" && (len(others) != 1 || others[0].Outcome != Failed || !strings.Contains(others[0].Reason, "cannot be rebuilt")):
			t.Errorf("%+v: Plan = %+v, %+v, want that it cannot be rebuilt", c, targets, others)
		}
	}
	checked, sb := stale("alpha", classify.CodeImage, false)
	sb.Workspace = "team2"
	targets, others := Plan([]classify.Checked{checked}, []sandbox.Sandbox{sb}, nil, false)
	if len(targets) != 1 || len(others) != 0 {
		t.Errorf("another workspace: Plan = %+v, %+v", targets, others)
	}
	want := map[classify.State]OutcomeWord{classify.Current: UpToDate, classify.Unknown: Skipped, classify.Orphaned: Skipped}
	for state, word := range want {
		targets, others := Plan([]classify.Checked{{Name: "x", State: state}}, []sandbox.Sandbox{{Name: "x"}}, nil, true)
		if len(targets) != 0 || others[0].Outcome != word {
			t.Errorf("Plan of a sandbox that is %s = %+v, %+v, want %s", state, targets, others, word)
		}
	}
}

// volatile is an engine whose containers were made with --rm.
type volatile struct{ Engine }

func (v volatile) Inspect(ctx context.Context, id string) (engine.Container, error) {
	c, err := v.Engine.Inspect(ctx, id)
	c.AutoRemove = true
	return c, err
}

// TestWhatAStopRemovesIsNotStopped: it would be gone before its backup.
func TestWhatAStopRemovesIsNotStopped(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.Engine = volatile{f.Engine}
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || len(got) != 1 || len(got[0].Problems) != 1 || got[0].Problems[0].Code != NeedContainer || !strings.Contains(got[0].Reason, "--rm") {
		t.Errorf("upgrade = %+v, %v", got, err)
	}
	w.settled(t, f, "alpha", "running")
}

// added is an extension that adds a label and forgets nothing.
type added struct {
	lifecycle.Defaults
	failing bool
}

func (a *added) BeforeCreate(_ context.Context, _ lifecycle.Sandbox, add *lifecycle.Builder) (*lifecycle.State, error) {
	if a.failing {
		return nil, errors.New("the fleet is closed")
	}
	return nil, add.AddLabel("fleet", "prod")
}

func (a *added) AfterCreateFailed(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

func (a *added) AfterDelete(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

func (a *added) Reconcile(context.Context, lifecycle.Sandbox, *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	return lifecycle.ReconcileOutcome{}, nil
}

func (f *fitted) extend(t *testing.T, e lifecycle.Extension) {
	t.Helper()
	store, err := lifecycle.OpenStore(t.TempDir()+"/extensions.db", 0)
	f.chainStore = store
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f.Chain, err = lifecycle.NewChain(lifecycle.Options{Links: []lifecycle.Link{{Name: "fleet", Extension: e, Reads: []uint32{1}}}, Store: store})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryCreateAndDeleteGoesThroughTheChain(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.extend(t, &added{})
	for round := range 2 { // the second time its recipe has the label already
		got, err := f.upgrade(t.Context(), "alpha")
		if err != nil || got[0].Outcome != Upgraded {
			t.Fatalf("round %d: %+v, %v", round, got, err)
		}
		c := w.settled(t, f, "alpha", "running")
		if labels := w.sandboxes[c.Labels["openshell.ai/sandbox-id"]].Labels; labels["fleet"] != "prod" || labels["team"] != "red" {
			t.Errorf("round %d: labels are %v", round, labels)
		}
	}
}

// An extension that refuses on the way back as well must not keep the old sandbox from existing: it comes home without its
// extensions, by itself, and that is said.
func TestAnExtensionThatRefusesBothWaysKeepsNobodyFromHome(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.extend(t, &added{failing: true})
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || got[0].Outcome != RolledBack || got[0].Unfinished || !strings.Contains(got[0].Reason, "the fleet is closed") {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	if !strings.Contains(fmt.Sprint(got[0].Warnings), "brought back without its extensions") {
		t.Errorf("warnings = %q", got[0].Warnings)
	}
	w.settled(t, f, "alpha", "running")
}

func TestAContainerThatOutlivesItsSandboxIsRemoved(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.ReadyLimit = 0
	w.hook = func(op string) {
		if op == "delete" { // this driver forgets the sandbox and leaves the container
			w.hook = nil
			delete(w.sandboxes, "id-alpha")
			delete(w.recipes, "id-alpha")
		}
	}
	targets, _ := f.targets(t.Context(), "alpha")
	ready, _, err := f.Preconditions(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	f.ReadyLimit = 2_000_000_000
	got := f.Execute(t.Context(), ready)
	if got[0].Outcome != Upgraded || !strings.Contains(fmt.Sprint(got[0].Warnings), "outlived its sandbox") {
		t.Fatalf("Execute = %+v", got)
	}
	w.settled(t, f, "alpha", "running")
	if calls := changing(w.engine.Calls()); !slices.ContainsFunc(calls, func(call string) bool { return strings.HasPrefix(call, "DELETE /containers/") }) {
		t.Errorf("no container was removed: %q", calls)
	}
}

// inLayer is an engine on this host, whose container's files lie in a folder.
type inLayer struct {
	Engine
	dir string
}

func (i inLayer) Layer(context.Context, string) (engine.Layer, error) {
	return engine.Layer{Dir: i.dir}, nil
}

// An entry that chattr has locked would end the deletion half way: it is found before anything is stopped.
func TestPreconditionOfLockedFiles(t *testing.T) {
	dir := t.TempDir()
	locked := filepath.Join(dir, "config")
	if err := os.WriteFile(locked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("chattr", "+i", locked).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, needs root and a file system with flags: %v: %s", err, text)
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", locked).Run() })

	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	f.Engine = inLayer{f.Engine, dir}
	got, err := f.upgrade(t.Context(), "alpha")
	if err != nil || len(got) != 1 || len(got[0].Problems) != 1 || got[0].Problems[0].Code != NeedRemovable || got[0].Problems[0].Fix != "chattr -i -a "+locked {
		t.Errorf("upgrade = %+v, %v", got, err)
	}
	w.settled(t, f, "alpha", "running")
}
