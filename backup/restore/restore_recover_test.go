package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/internal/backuptest"

	"github.com/google/go-cmp/cmp"
)

// starts is a freezer that also starts containers.
type starts struct{ *backuptest.Freezer }

func (s starts) Start(_ context.Context, id string) error { return s.Set("start", id, "running") }

func TestRecoverRestores(t *testing.T) {
	for name, tt := range map[string]struct {
		state   string
		broken  map[string]error
		change  func(*RestoreEntry)
		want    Interruption // Half, Started
		problem string
		ends    string // state afterwards
		kept    bool   // entry and copy
	}{
		"stopped before a byte was written": {state: "exited", want: Interruption{Started: true}, ends: "running"},
		"ran already":                       {state: "running", ends: "running"},
		"did not run before":                {state: "exited", change: func(e *RestoreEntry) { e.Running = false }, ends: "exited"},
		"half done":                         {state: "exited", change: func(e *RestoreEntry) { e.Writing = true }, want: Interruption{Half: true}, ends: "exited", kept: true},
		"half done, engine down": {
			state: "exited", change: func(e *RestoreEntry) { e.Writing = true }, want: Interruption{Half: true}, ends: "exited", kept: true,
			broken: map[string]error{"inspect": errors.New("engine is down")},
		},
		"engine down":       {state: "exited", ends: "exited", kept: true, broken: map[string]error{"inspect": errors.New("engine is down")}, problem: "engine is down"},
		"cannot be started": {state: "exited", ends: "exited", kept: true, broken: map[string]error{"start": errors.New("no such image")}, problem: "no such image"},
		"its owner lives": {state: "exited", ends: "exited", kept: true, change: func(e *RestoreEntry) {
			e.PID = os.Getpid()
			e.Started, _ = home.StartOf(e.PID)
		}},
	} {
		root, j := t.TempDir(), restoreJournal{filepath.Join(t.TempDir(), "restoring")}
		entry := RestoreEntry{
			PausedEntry: home.PausedEntry{Container: backuptest.IdA, Name: "openshell-x", Host: "unix:///x", PID: 1 << 30, At: time.Now()},
			Sandbox:     "alpha", Root: root, Copy: filepath.Join(root, ".before-restore-alpha-1.tar.zst"), Running: true,
		}
		if tt.change != nil {
			tt.change(&entry)
		}
		if err := errors.Join(j.put(entry), os.WriteFile(entry.Copy, []byte("old"), 0o600)); err != nil {
			t.Fatal(err)
		}
		engine := &backuptest.Freezer{State: map[string]string{backuptest.IdA: tt.state}, Broken: tt.broken}
		found, err := RecoverRestores(t.Context(), j.dir, func(context.Context, string) (Restarter, error) { return starts{engine}, nil })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got Interruption
		if len(found) == 1 {
			got = found[0]
		}
		if got.Half != tt.want.Half || got.Started != tt.want.Started || (tt.problem == "") != (got.Err == nil) || tt.problem != "" && !strings.Contains(got.Err.Error(), tt.problem) {
			t.Errorf("%s: half %v, started %v, %v", name, got.Half, got.Started, got.Err)
		}
		if engine.State[backuptest.IdA] != tt.ends {
			t.Errorf("%s: the container is %s, want %s", name, engine.State[backuptest.IdA], tt.ends)
		}
		_, kept, err := j.get(backuptest.IdA)
		_, copied := os.Stat(entry.Copy)
		if kept != tt.kept || (copied == nil) != tt.kept || err != nil {
			t.Errorf("%s: entry kept %v, copy %v, want %v; %v", name, kept, copied, tt.kept, err)
		}
	}
}

// A stop that the killed restore asked for may come about after the first look: the container is started after it.
func TestRecoverRestoreWaitsForTheStop(t *testing.T) {
	j := restoreJournal{filepath.Join(t.TempDir(), "restoring")}
	entry := RestoreEntry{PausedEntry: home.PausedEntry{Container: backuptest.IdA, Host: "unix:///x", PID: 1 << 30, At: time.Now()}, Running: true, Stopping: true}
	if err := j.put(entry); err != nil {
		t.Fatal(err)
	}
	engine := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}}
	time.AfterFunc(home.ThawRetry/2, func() { _ = engine.Set("stop", backuptest.IdA, "exited") })
	found, err := RecoverRestores(t.Context(), j.dir, func(context.Context, string) (Restarter, error) { return starts{engine}, nil })
	if err != nil || len(found) != 1 || !found[0].Started || engine.State[backuptest.IdA] != "running" {
		t.Errorf("%+v, %v, %v", found, engine.Calls, err)
	}
}

func TestRecoverRestoresReadsAroundDamage(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{backuptest.IdA: "{", backuptest.IdB: `{"container":"` + backuptest.IdB + `","host":"unix:///x","root":"/r","copy":"/etc/passwd"}`} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := RecoverRestores(t.Context(), dir, func(context.Context, string) (Restarter, error) { return nil, errors.New("asked") })
	if len(found) != 0 || err == nil || !strings.Contains(err.Error(), "not readable") || !strings.Contains(err.Error(), "no restore made") {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := RecoverRestores(t.Context(), filepath.Join(dir, "none"), nil); len(found) != 0 || err != nil {
		t.Errorf("no journal: %v, %v", found, err)
	}
}

// A restore that died while it wrote is taken over: not the half home but what that one kept counts as the old content, with the
// credentials that no backup holds.
func TestRestoreTakesOverFromAKilledOne(t *testing.T) {
	f, request := savedFake(t, "running")
	sb := f.Add(backuptest.IdA, "running", backuptest.Entry{Name: "a", Body: "now", Uid: 998}, backuptest.Entry{Name: "new.env", Body: "TOKEN=x"})
	request.Target, request.Journal = sb, filepath.Join(t.TempDir(), "restoring")
	f.Broken.Write = func(n int) (int, error) { return 2, errors.New("the engine is gone") } // also while it is put back
	_, err := Restore(t.Context(), request)
	if err == nil || !strings.Contains(err.Error(), "could not be put back") || f.State[backuptest.IdA] != "exited" {
		t.Fatalf("%v; the container is %s", err, f.State[backuptest.IdA])
	}
	f.Broken.Write = nil
	j := restoreJournal{request.Journal}
	left, found, err := j.get(backuptest.IdA)
	if !found || err != nil || !left.Writing || !left.Running || left.Previous == "" {
		t.Fatalf("the journal has %+v, %v, %v", left, found, err)
	}
	if _, err := Restore(t.Context(), request); err == nil || !strings.Contains(err.Error(), "is being restored by process") {
		t.Errorf("while its process lives: %v", err)
	}
	left.PID = 1 << 30
	if err := j.put(left); err != nil {
		t.Fatal(err)
	}
	back := request
	if back.Backup, err = request.Store.Find(sb.Name, left.Previous); err != nil {
		t.Fatal(err)
	}
	summary, err := Restore(t.Context(), back)
	if err != nil || summary.Previous != left.Previous {
		t.Fatalf("%+v, %v", summary, err)
	}
	if diff := cmp.Diff(map[string]string{"": "", "a": "now", "new.env": "TOKEN=x"}, f.Home(backuptest.IdA)); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
	if _, found, _ := j.get(backuptest.IdA); found || f.State[backuptest.IdA] != "running" {
		t.Errorf("entry left: %v; the container is %s", found, f.State[backuptest.IdA])
	}
	assertNoCopies(t, request.Store)
}

// What is in no backup at all stays where it is.
func TestRestoreKeepsCredentialsThatNoBackupHas(t *testing.T) {
	f, request := savedFake(t, "exited")
	request.Target = f.Add(backuptest.IdA, "exited", backuptest.Entry{Name: "a", Body: "now", Uid: 998}, backuptest.Entry{Name: "later.env", Body: "TOKEN=x"})
	summary, err := Restore(t.Context(), request)
	if diff := cmp.Diff([]string{"later.env"}, summary.Kept); err != nil || diff != "" || f.Home(backuptest.IdA)["later.env"] != "TOKEN=x" {
		t.Errorf("%v, kept (-want +got):\n%s\nhome %v", err, diff, f.Home(backuptest.IdA))
	}
}

func FuzzDecodeRestore(f *testing.F) {
	f.Add([]byte(`{"container":"` + backuptest.IdA + `","host":"unix:///x","root":"/r","copy":"/r/.before-restore-a-1.tar.zst","writing":true}`))
	f.Add([]byte(`{"copy":"/etc/passwd"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := decodeRestore(backuptest.IdA, text)
		if err == nil && (e.Container != backuptest.IdA || e.Host == "" || e.Copy != "" && filepath.Dir(e.Copy) != e.Root) {
			t.Errorf("%q was read as %+v", text, e)
		}
	})
}
