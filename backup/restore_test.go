package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/engine"
	"sandkeeper/sandbox"
)

// savedFake is a store with one backup of a container that was then changed: the ground of most restores.
func savedFake(t *testing.T, state string) (*fakeEngine, RestoreRequest) {
	t.Helper()
	f := newFakeEngine()
	sb := f.add(idA, state, entry{name: "a", body: "then", uid: 998}, entry{name: "dir", kind: tar.TypeDir}, entry{name: "dir/b", body: "then"})
	s := newStore(t, StoreOptions{})
	summary, err := (&Run{Store: s, containers: f, PauseLimit: -1}).All(t.Context(), inventoryOf(sb))
	if err != nil || summary.Totals.BackedUp != 1 {
		t.Fatalf("%+v, %v", summary, err)
	}
	b, err := s.Find(sb.Name, Latest)
	if err != nil {
		t.Fatal(err)
	}
	sb = f.add(idA, state, entry{name: "a", body: "now", uid: 998}, entry{name: "new", body: "now"})
	f.calls, f.writes = nil, 0
	return f, RestoreRequest{Store: s, Backup: b, Target: sb, Consent: true, containers: f}
}

var (
	thenHome = map[string]string{"": "", "a": "then", "dir": "", "dir/b": "then"}
	nowHome  = map[string]string{"": "", "a": "now", "new": "now"}
)

// assertNoCopies checks that the private copies of a home, credentials and all, are gone.
func assertNoCopies(t *testing.T, s *Store) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(s.Root(), oldPattern))
	if err != nil || len(left) != 0 {
		t.Errorf("copies of the home were left: %q, %v", left, err)
	}
}

func TestRestoreStopsSwapsAndStarts(t *testing.T) {
	f, request := savedFake(t, "running")
	var stages []Stage
	request.Progress = func(e Event) {
		if len(stages) == 0 || stages[len(stages)-1] != e.Stage {
			stages = append(stages, e.Stage)
		}
	}
	summary, err := Restore(t.Context(), request)
	if err != nil || !summary.Done || summary.Files != 2 || summary.Bytes != 8 {
		t.Fatalf("%+v, %v", summary, err)
	}
	if diff := cmp.Diff(thenHome, f.home(idA)); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"stop aa", "start aa"}, f.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	want := []Stage{StageVerifying, StageStopping, StageSaving, StageWriting, StageVerifying, StageStarting, StageDone}
	if diff := cmp.Diff(want, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	assertNoCopies(t, request.Store)
}

// A container that was made with --rm is gone when it is stopped, with all that was done in it since its backup.
func TestRestoreStopsNoContainerThatGoesWhenItStops(t *testing.T) {
	for _, state := range []string{"running", "exited"} {
		f, request := savedFake(t, state)
		f.rm = true
		summary, err := Restore(t.Context(), request)
		if err == nil || summary.Done || !strings.Contains(err.Error(), "was made with --rm") || len(f.calls) > 0 || f.writes > 0 {
			t.Errorf("%s: %+v, %v, calls %q, %d writes", state, summary, err, f.calls, f.writes)
		}
	}
}

func TestRestoreRefusesDamageBeforeTouchingAnything(t *testing.T) {
	for _, name := range []string{"archive.tar.zst", "manifest.json"} {
		f, request := savedFake(t, "running")
		file := filepath.Join(request.Backup.Dir, name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text[len(text)/2] ^= 1
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = Restore(t.Context(), request)
		if _, ok := errors.AsType[*DamageError](err); !ok {
			t.Errorf("%s flipped: %v", name, err)
		}
		if diff := cmp.Diff(nowHome, f.home(idA)); diff != "" || len(f.calls) != 0 || f.writes != 0 {
			t.Errorf("%s flipped: the target was touched: %q %s", name, f.calls, diff)
		}
	}
	_, request := savedFake(t, "running")
	request.Backup.Manifest, request.Backup.Damage = nil, errors.New("torn manifest")
	if _, err := Restore(t.Context(), request); err == nil || !strings.Contains(err.Error(), "torn manifest") {
		t.Errorf("a backup that is not whole: %v", err)
	}
}

// The write fails after every number of entries in turn: what was there is always put back, and the container runs again.
func TestRestorePutsTheOldContentBack(t *testing.T) {
	for after := 0; ; after++ {
		f, request := savedFake(t, "running")
		f.broken.write = func(n int) (int, error) {
			if n == 1 {
				return after, errors.New("no space left on device")
			}
			return -1, nil
		}
		_, err := Restore(t.Context(), request)
		if err == nil {
			if after < 4 {
				t.Fatalf("only %d entries were written", after)
			}
			return
		}
		if !errors.Is(err, ErrPutBack) || !strings.Contains(err.Error(), "no space left on device") {
			t.Errorf("after %d entries: %v", after, err)
		}
		if diff := cmp.Diff(nowHome, f.home(idA)); diff != "" {
			t.Errorf("after %d entries, home (-want +got):\n%s", after, diff)
		}
		if f.state[idA] != "running" {
			t.Errorf("after %d entries the container is %q", after, f.state[idA])
		}
		assertNoCopies(t, request.Store)
	}
}

func TestRestoreKeepsTheCopyWhenNothingHelps(t *testing.T) {
	f, request := savedFake(t, "running")
	f.broken.write = func(int) (int, error) { return 2, errors.New("engine is down") }
	_, err := Restore(t.Context(), request)
	left, _ := filepath.Glob(filepath.Join(request.Store.Root(), oldPattern))
	stopped := f.state[idA]
	if stopped != "exited" {
		t.Errorf("a half restored container is %q", stopped)
	}
	if err == nil || errors.Is(err, ErrPutBack) || len(left) != 1 || !strings.Contains(err.Error(), left[0]) {
		t.Fatalf("the copy %q is not named: %v", left, err)
	}
	if info, err := os.Stat(left[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("copy: %v, %v", info, err)
	}
	f.broken.write = nil
	if again, err := Restore(t.Context(), request); err != nil || len(again.Warnings) != 1 || !strings.Contains(again.Warnings[0], left[0]) {
		t.Errorf("the next restore does not tell of the copy: %+v, %v", again, err)
	}
	if !strings.Contains(err.Error(), "left stopped") {
		t.Errorf("a half restored container is %q: %v", stopped, err)
	}
}

func TestRestoreIsNotBelievedUntilItWasReadBack(t *testing.T) {
	f, request := savedFake(t, "exited")
	reads := 0
	f.broken.read = func(string) error {
		if reads++; reads == 3 { // the first looks whether there is content, the second takes the copy, the third confirms
			e := f.files[idA]["sandbox/dir/b"]
			e.body = "flip"
			f.files[idA]["sandbox/dir/b"] = e
		}
		return nil
	}
	_, err := Restore(t.Context(), request)
	if !errors.Is(err, ErrPutBack) || !strings.Contains(err.Error(), `1 entries are not as they were written, the first is "dir/b"`) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(nowHome, f.home(idA)); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
}

func TestRestoreRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*fakeEngine, *RestoreRequest)
		says   string
	}{
		"no consent":       {func(_ *fakeEngine, r *RestoreRequest) { r.Consent = false }, `has 2 entries in /sandbox`},
		"paused":           {func(f *fakeEngine, _ *RestoreRequest) { f.state[idA] = "paused" }, "is paused"},
		"gone":             {func(f *fakeEngine, _ *RestoreRequest) { f.files[idA] = nil }, "has no /sandbox: file does not exist"},
		"unknown scope":    {func(_ *fakeEngine, r *RestoreRequest) { r.Scope = "half" }, `scope "half"`},
		"no state in it":   {func(_ *fakeEngine, r *RestoreRequest) { r.Scope = ScopeState }, "none of the state"},
		"no way in":        {func(_ *fakeEngine, r *RestoreRequest) { r.Target.Container = nil }, "cannot be restored to"},
		"ambiguous target": {func(_ *fakeEngine, r *RestoreRequest) { r.Target.Standing = sandbox.Ambiguous }, "several containers"},
		"cannot be stopped": {func(f *fakeEngine, _ *RestoreRequest) {
			f.state[idA], f.broken.stop = "running", errors.New("stop refused")
		}, "stop refused"},
		"a mount inside": {func(f *fakeEngine, _ *RestoreRequest) {
			f.mounts = []engine.Mount{{Source: "/host", Destination: "/sandbox/dir/deep"}}
		}, "/sandbox/dir/deep mounted"},
		"a mount inside, by another name": {func(f *fakeEngine, _ *RestoreRequest) {
			f.files[idA]["alias"] = entry{kind: tar.TypeSymlink, link: "/sandbox"}
			f.mounts = []engine.Mount{{Source: "/host", Destination: "/alias/dir/deep"}}
		}, "/sandbox/dir/deep mounted"},
	} {
		f, request := savedFake(t, "exited")
		tt.change(f, &request)
		before := f.home(idA)
		_, err := Restore(t.Context(), request)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "API route") {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(before, f.home(idA)); diff != "" || f.writes != 0 {
			t.Errorf("%s: the home was written to (-want +got):\n%s", name, diff)
		}
		assertNoCopies(t, request.Store)
	}
}

func TestRestoreSaysWhenTheContainerDoesNotStart(t *testing.T) {
	f, request := savedFake(t, "running")
	f.broken.start = errors.New("no such network")
	summary, err := Restore(t.Context(), request)
	if err == nil || !strings.Contains(err.Error(), "could not be started again: no such network") || !summary.Done {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestRestoreLeavesTheTargetsOwnCredentials(t *testing.T) {
	f := newFakeEngine()
	home := []entry{{name: ".agent", kind: tar.TypeDir}, {name: ".agent/auth.json", body: `{"token":"old"}`}, {name: "a", body: "then"}}
	sb := f.add(idA, "exited", home...)
	s := newStore(t, StoreOptions{})
	b, err := s.Create(t.Context(), leastBackup(sb.Name), func(_ context.Context, a *Archive) error {
		for _, e := range home {
			if e.name == ".agent/auth.json" {
				a.Omit(e.name, "credential file")
				continue
			}
			if err := a.Add(e.header(), strings.NewReader(e.body)); err != nil {
				return err
			}
		}
		a.Omit("lost.env", "credential file")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sb = f.add(idA, "exited", entry{name: ".agent", kind: tar.TypeDir}, entry{name: ".agent/auth.json", body: "fresh"}, entry{name: "a", body: "now"})
	if b, err = s.Find(sb.Name, b.ID); err != nil {
		t.Fatal(err)
	}
	summary, err := Restore(t.Context(), RestoreRequest{Store: s, Backup: b, Target: sb, Consent: true, containers: f})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"": "", ".agent": "", ".agent/auth.json": "fresh", "a": "then"}
	if diff := cmp.Diff(want, f.home(idA)); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
	if len(summary.Kept) != 1 || len(summary.Missing) != 1 || summary.Missing[0].Path != "lost.env" {
		t.Errorf("kept %q, missing %+v", summary.Kept, summary.Missing)
	}
}

func TestRestoreSummaryNamesTheSource(t *testing.T) {
	f, request := savedFake(t, "exited")
	other := f.add(idB, "exited")
	request.Target, request.Consent = other, false // an empty target needs no consent
	summary, err := Restore(t.Context(), request)
	if err != nil || summary.From != "box-aa" || summary.Sandbox != "box-bb" || summary.Previous != "" {
		t.Errorf("%+v, %v", summary, err)
	}
	want := fmt.Sprint(thenHome)
	if got := fmt.Sprint(f.home(idB)); got != want {
		t.Errorf("home %s, want %s", got, want)
	}
	if diff := cmp.Diff(nowHome, f.home(idA)); diff != "" {
		t.Errorf("the source changed:\n%s", diff)
	}
}
