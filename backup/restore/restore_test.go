package restore

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

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
	"sandkeeper/internal/storetest"
	"sandkeeper/sandbox"
)

// savedFake is a store with one backup of a container that was then changed: the ground of most restores.
func savedFake(t *testing.T, state string) (*backuptest.FakeEngine, Request) {
	t.Helper()
	f := backuptest.NewFakeEngine()
	sb := f.Add(backuptest.IdA, state, backuptest.Entry{Name: "a", Body: "then", Uid: 998}, backuptest.Entry{Name: "dir", Kind: tar.TypeDir}, backuptest.Entry{Name: "dir/b", Body: "then"})
	s := storetest.NewStore(t, store.Options{})
	b := save(t, s, home.ContainerHome{Engine: f, ID: backuptest.IdA, Dir: "/sandbox"}, sb.Name)
	sb = f.Add(backuptest.IdA, state, backuptest.Entry{Name: "a", Body: "now", Uid: 998}, backuptest.Entry{Name: "new", Body: "now"})
	f.Calls, f.Writes = nil, 0
	return f, Request{Store: s, Backup: b, Target: sb, Consent: true, containers: f}
}

var (
	thenHome = map[string]string{"": "", "a": "then", "dir": "", "dir/b": "then"}
	nowHome  = map[string]string{"": "", "a": "now", "new": "now"}
)

// assertNoCopies checks that the private copies of a home, credentials and all, are gone.
func assertNoCopies(t *testing.T, s *store.Store) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(s.Root(), journal.CopyPattern))
	if err != nil || len(left) != 0 {
		t.Errorf("copies of the home were left: %q, %v", left, err)
	}
}

func TestRestoreStopsSwapsAndStarts(t *testing.T) {
	f, request := savedFake(t, "running")
	var stages []home.Stage
	request.Progress = func(e home.Event) {
		if len(stages) == 0 || stages[len(stages)-1] != e.Stage {
			stages = append(stages, e.Stage)
		}
	}
	summary, err := Restore(t.Context(), request)
	if err != nil || !summary.Done || summary.Files != 2 || summary.Bytes != 8 {
		t.Fatalf("%+v, %v", summary, err)
	}
	if diff := cmp.Diff(thenHome, f.Home(backuptest.IdA)); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"stop aa", "start aa"}, f.Calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	want := []home.Stage{home.StageVerifying, home.StageStopping, home.StageSaving, home.StageWriting, home.StageVerifying, home.StageStarting, home.StageDone}
	if diff := cmp.Diff(want, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	assertNoCopies(t, request.Store)
}

// A container that was made with --rm is gone when it is stopped, with all that was done in it since its backup.
func TestRestoreStopsNoContainerThatGoesWhenItStops(t *testing.T) {
	for _, state := range []string{"running", "exited"} {
		f, request := savedFake(t, state)
		f.Rm = true
		summary, err := Restore(t.Context(), request)
		if err == nil || summary.Done || !strings.Contains(err.Error(), "was made with --rm") || len(f.Calls) > 0 || f.Writes > 0 {
			t.Errorf("%s: %+v, %v, calls %q, %d writes", state, summary, err, f.Calls, f.Writes)
		}
	}
}

// Only its gateway stops and starts both containers of a 0.1.x sandbox: the engine would leave one without the other.
func TestRestoreStopsNoneOfAPairOfContainers(t *testing.T) {
	for state, refused := range map[string]bool{"running": true, "exited": false} {
		f, request := savedFake(t, state)
		f.Role = "sandbox"
		request.Target.Gateway, request.Target.Workspace = "gw", "team2"
		summary, err := Restore(t.Context(), request)
		line := fmt.Sprintf("%q after the restore", "openshell sandbox start "+request.Target.Name+" -g gw --workspace team2")
		if refused && (err == nil || !strings.Contains(err.Error(), line) || len(f.Calls) > 0 || f.Writes > 0) || !refused && (err != nil || !summary.Done) {
			t.Errorf("%s: %+v, %v, calls %q, %d writes", state, summary, err, f.Calls, f.Writes)
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
		if _, ok := errors.AsType[*archive.DamageError](err); !ok {
			t.Errorf("%s flipped: %v", name, err)
		}
		if diff := cmp.Diff(nowHome, f.Home(backuptest.IdA)); diff != "" || len(f.Calls) != 0 || f.Writes != 0 {
			t.Errorf("%s flipped: the target was touched: %q %s", name, f.Calls, diff)
		}
	}
	_, request := savedFake(t, "running")
	request.Backup.Manifest, request.Backup.Damage = nil, errors.New("torn manifest")
	if _, err := Restore(t.Context(), request); err == nil || !strings.Contains(err.Error(), "torn manifest") {
		t.Errorf("a backup that is not whole: %v", err)
	}
}

// A backup whose bytes are those of its manifest, and whose files are not those of its index, is refused while the sandbox runs on.
func TestRestoreProvesEveryEntryBeforeItStopsAnything(t *testing.T) {
	f, request := savedFake(t, "running")
	forge(t, request.Store, request.Backup)
	_, err := Restore(t.Context(), request)
	if _, ok := errors.AsType[*archive.DamageError](err); !ok {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(nowHome, f.Home(backuptest.IdA)); diff != "" || len(f.Calls) != 0 || f.Writes != 0 {
		t.Errorf("the target was touched: %q, %d writes %s", f.Calls, f.Writes, diff)
	}
}

// forge puts the archive of another backup in the place of b's, with a manifest that vouches for its bytes.
func forge(t *testing.T, s *store.Store, b store.Backup) {
	t.Helper()
	other := forged(t, s, "other", tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 4, Mode: 0o644})
	packed, err := os.ReadFile(other.ArchivePath())
	backuptest.Must(t, err)
	backuptest.Must(t, os.WriteFile(b.ArchivePath(), packed, 0o600))
	file := filepath.Join(b.Dir, archive.ManifestName)
	text, err := os.ReadFile(file)
	backuptest.Must(t, err)
	was, is := b.Manifest.Archive, other.Manifest.Archive
	open := string(text[:strings.LastIndex(string(text), archive.SealHead)])
	vouch := func(a archive.ArchiveFile) string { return fmt.Sprintf(`"bytes":%d,"sha256":%q`, a.Bytes, a.SHA256) }
	open = strings.Replace(open, vouch(was), vouch(is), 1)
	backuptest.Must(t, os.WriteFile(file, archive.Seal([]byte(open)), 0o600))
	manifest, err := s.Load(b, nil)
	backuptest.Must(t, err)
	if err := store.VerifyDigest(t.Context(), b, manifest.Archive); err != nil {
		t.Fatalf("its bytes are not those of its manifest: %v", err)
	}
}

// The write fails after every number of entries in turn: what was there is always put back, and the container runs again.
func TestRestorePutsTheOldContentBack(t *testing.T) {
	for after := 0; ; after++ {
		f, request := savedFake(t, "running")
		f.Broken.Write = func(n int) (int, error) {
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
		if diff := cmp.Diff(nowHome, f.Home(backuptest.IdA)); diff != "" {
			t.Errorf("after %d entries, home (-want +got):\n%s", after, diff)
		}
		if f.State[backuptest.IdA] != "running" {
			t.Errorf("after %d entries the container is %q", after, f.State[backuptest.IdA])
		}
		assertNoCopies(t, request.Store)
	}
}

func TestRestoreKeepsTheCopyWhenNothingHelps(t *testing.T) {
	f, request := savedFake(t, "running")
	f.Broken.Write = func(int) (int, error) { return 2, errors.New("engine is down") }
	_, err := Restore(t.Context(), request)
	left, _ := filepath.Glob(filepath.Join(request.Store.Root(), journal.CopyPattern))
	stopped := f.State[backuptest.IdA]
	if stopped != "exited" {
		t.Errorf("a half restored container is %q", stopped)
	}
	if err == nil || errors.Is(err, ErrPutBack) || len(left) != 1 || !strings.Contains(err.Error(), left[0]) {
		t.Fatalf("the copy %q is not named: %v", left, err)
	}
	if info, err := os.Stat(left[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("copy: %v, %v", info, err)
	}
	f.Broken.Write = nil
	if again, err := Restore(t.Context(), request); err != nil || len(again.Warnings) != 1 || !strings.Contains(again.Warnings[0], left[0]) {
		t.Errorf("the next restore does not tell of the copy: %+v, %v", again, err)
	}
	if !strings.Contains(err.Error(), "left stopped") {
		t.Errorf("a half restored container is %q: %v", stopped, err)
	}
}

// The record of a home that is half done, or of a container that did not come back, stays for the next run, which tells it.
func TestRestoreLeavesItsRecordWhereItDidNotEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		state string
		fail  func(*backuptest.FakeEngine)
		left  int
	}{
		"half done": {"exited", func(f *backuptest.FakeEngine) {
			f.Broken.Write = func(int) (int, error) { return 2, errors.New("engine is down") }
		}, 1},
		"not started again": {"running", func(f *backuptest.FakeEngine) { f.Broken.Start = errors.New("no such network") }, 1},
		"put back": {"exited", func(f *backuptest.FakeEngine) {
			f.Broken.Write = func(n int) (int, error) {
				return map[bool]int{true: 2, false: -1}[n == 1], errors.New("no space left on device")
			}
		}, 0},
	} {
		f, request := savedFake(t, tt.state)
		request.Journal = filepath.Join(t.TempDir(), "restoring")
		tt.fail(f)
		_, err := Restore(t.Context(), request)
		left := journaltest.Values(t, journal.Restores(request.Journal))
		if err == nil || len(left) != tt.left || tt.left == 1 && left[0].Writing == (tt.state == "running") {
			t.Errorf("%s: the shelf has %+v, %v", name, left, err)
		}
	}
}

func TestRestoreIsNotBelievedUntilItWasReadBack(t *testing.T) {
	for name, alter := range map[string]func(*backuptest.Entry){
		"its content": func(e *backuptest.Entry) { e.Body = "flip" },
		"its owner":   func(e *backuptest.Entry) { e.Uid = 1 },
		"a mode bit":  func(e *backuptest.Entry) { e.Mode ^= 0o4000 },
	} {
		f, request := savedFake(t, "exited")
		reads := 0
		f.Broken.Read = func(string) error {
			if reads++; reads == 3 { // the first looks whether there is content, the second takes the copy, the third confirms
				e := f.Files[backuptest.IdA]["sandbox/dir/b"]
				alter(&e)
				f.Files[backuptest.IdA]["sandbox/dir/b"] = e
			}
			return nil
		}
		_, err := Restore(t.Context(), request)
		if !errors.Is(err, ErrPutBack) || !strings.Contains(err.Error(), `1 entry is not as written, the first is "dir/b"`) {
			t.Errorf("%s: got %v", name, err)
		}
		if diff := cmp.Diff(nowHome, f.Home(backuptest.IdA)); diff != "" {
			t.Errorf("%s: home (-want +got):\n%s", name, diff)
		}
	}
}

func TestRestoreRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*backuptest.FakeEngine, *Request)
		says   string
	}{
		"no consent":       {func(_ *backuptest.FakeEngine, r *Request) { r.Consent = false }, `has 2 entries in /sandbox`},
		"paused":           {func(f *backuptest.FakeEngine, _ *Request) { f.State[backuptest.IdA] = "paused" }, "is paused"},
		"gone":             {func(f *backuptest.FakeEngine, _ *Request) { f.Files[backuptest.IdA] = nil }, "the container has no /sandbox"},
		"unknown scope":    {func(_ *backuptest.FakeEngine, r *Request) { r.Scope = "half" }, `scope "half"`},
		"no state in it":   {func(_ *backuptest.FakeEngine, r *Request) { r.Scope = ScopeState }, "none of the state"},
		"no way in":        {func(_ *backuptest.FakeEngine, r *Request) { r.Target.Container = nil }, "cannot be restored to"},
		"ambiguous target": {func(_ *backuptest.FakeEngine, r *Request) { r.Target.Standing = sandbox.Ambiguous }, "several containers"},
		"cannot be stopped": {func(f *backuptest.FakeEngine, _ *Request) {
			f.State[backuptest.IdA], f.Broken.Stop = "running", errors.New("stop refused")
		}, "stop refused"},
	} {
		f, request := savedFake(t, "exited")
		tt.change(f, &request)
		before := f.Home(backuptest.IdA)
		_, err := Restore(t.Context(), request)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "API route") {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(before, f.Home(backuptest.IdA)); diff != "" || f.Writes != 0 {
			t.Errorf("%s: the home was written to (-want +got):\n%s", name, diff)
		}
		assertNoCopies(t, request.Store)
	}
}

func TestRestoreSaysWhenTheContainerDoesNotStart(t *testing.T) {
	f, request := savedFake(t, "running")
	f.Broken.Start = errors.New("no such network")
	summary, err := Restore(t.Context(), request)
	if err == nil || !strings.Contains(err.Error(), "could not be started again: no such network") || !summary.Done {
		t.Errorf("%+v, %v", summary, err)
	}
}

func TestRestoreLeavesTheTargetsOwnCredentials(t *testing.T) {
	f := backuptest.NewFakeEngine()
	home := []backuptest.Entry{{Name: ".agent", Kind: tar.TypeDir}, {Name: ".agent/auth.json", Body: `{"token":"old"}`}, {Name: "a", Body: "then"}}
	sb := f.Add(backuptest.IdA, "exited", home...)
	s := storetest.NewStore(t, store.Options{})
	b, err := s.Create(t.Context(), storetest.LeastBackup(sb.Name), func(_ context.Context, a *archive.Archive) error {
		for _, e := range home {
			if e.Name == ".agent/auth.json" {
				a.Omit(e.Name, "credential file")
				continue
			}
			if err := a.Add(e.Header(), strings.NewReader(e.Body)); err != nil {
				return err
			}
		}
		a.Omit("lost.env", "credential file")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sb = f.Add(backuptest.IdA, "exited", backuptest.Entry{Name: ".agent", Kind: tar.TypeDir}, backuptest.Entry{Name: ".agent/auth.json", Body: "fresh"}, backuptest.Entry{Name: "a", Body: "now"})
	if b, err = s.Find(sb.Name, b.ID); err != nil {
		t.Fatal(err)
	}
	summary, err := Restore(t.Context(), Request{Store: s, Backup: b, Target: sb, Consent: true, containers: f})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"": "", ".agent": "", ".agent/auth.json": "fresh", "a": "then"}
	if diff := cmp.Diff(want, f.Home(backuptest.IdA)); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
	if len(summary.Kept) != 1 || len(summary.Missing) != 1 || summary.Missing[0].Path != "lost.env" {
		t.Errorf("kept %q, missing %+v", summary.Kept, summary.Missing)
	}
}

func TestRestoreSummaryNamesTheSource(t *testing.T) {
	f, request := savedFake(t, "exited")
	other := f.Add(backuptest.IdB, "exited")
	request.Target, request.Consent = other, false // an empty target needs no consent
	summary, err := Restore(t.Context(), request)
	if err != nil || summary.From != "box-aa" || summary.Sandbox != "box-bb" || summary.Previous != "" {
		t.Errorf("%+v, %v", summary, err)
	}
	want := fmt.Sprint(thenHome)
	if got := fmt.Sprint(f.Home(backuptest.IdB)); got != want {
		t.Errorf("home %s, want %s", got, want)
	}
	if diff := cmp.Diff(nowHome, f.Home(backuptest.IdA)); diff != "" {
		t.Errorf("the source changed:\n%s", diff)
	}
}
