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
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
)

// starts is a freezer that also starts containers.
type starts struct{ *backuptest.Freezer }

func (s starts) Start(_ context.Context, id string) error { return s.Set("start", id, "running") }

func recoverWith(t *testing.T, shelf journal.Shelf[journal.Restore], engine *backuptest.Freezer) ([]Interruption, []error) {
	t.Helper()
	r := Recoverer{Dial: func(context.Context, string) (Restarter, error) { return starts{engine}, nil }}
	return r.Recover(t.Context(), shelf)
}

func TestRecoverRestores(t *testing.T) {
	for name, tt := range map[string]struct {
		state   string
		gone    bool
		broken  map[string]error
		change  func(*journal.Restore)
		want    Interruption // Half, Started
		problem string
		ends    string // state afterwards
		kept    bool   // entry and copy
	}{
		"stopped before a byte was written": {state: "exited", want: Interruption{Started: true}, ends: "running"},
		"ran already":                       {state: "running", ends: "running"},
		"did not run before":                {state: "exited", change: func(e *journal.Restore) { e.Running = false }, ends: "exited"},
		"half done":                         {state: "exited", change: func(e *journal.Restore) { e.Writing = true }, want: Interruption{Half: true}, ends: "exited", kept: true},
		"half done, engine down": {
			state: "exited", change: func(e *journal.Restore) { e.Writing = true }, want: Interruption{Half: true}, ends: "exited", kept: true,
			broken: map[string]error{"inspect": errors.New("engine is down")},
		},
		"engine down":       {state: "exited", ends: "exited", kept: true, broken: map[string]error{"inspect": errors.New("engine is down")}, problem: "engine is down"},
		"cannot be started": {state: "exited", ends: "exited", kept: true, broken: map[string]error{"start": errors.New("no such image")}, problem: "no such image"},
		"another engine": {
			state: "exited", ends: "exited", kept: true, change: func(e *journal.Restore) { e.Engine = "docker ELSE /var/lib/docker" }, problem: "answers now",
		},
		"another engine without the container": {
			gone: true, kept: true, change: func(e *journal.Restore) { e.Engine = "docker ELSE /var/lib/docker" }, problem: "answers now",
		},
		"another container": {
			state: "exited", ends: "exited", kept: true, change: func(e *journal.Restore) { e.Created = backuptest.FreezerMade().Add(time.Hour) }, problem: "was made at",
		},
		"of an earlier version, on an engine that may be another": {
			gone: true, kept: true, change: func(e *journal.Restore) { e.Engine = "" }, problem: "perhaps another one",
		},
	} {
		root, shelf := t.TempDir(), journal.Restores(filepath.Join(t.TempDir(), "restoring"))
		entry := journal.Restore{
			Pause: backuptest.PauseOf(backuptest.IdA), Sandbox: "alpha", Root: root, Copy: filepath.Join(root, ".before-restore-alpha-1.tar.zst"), Running: true,
		}
		if tt.change != nil {
			tt.change(&entry)
		}
		journaltest.Leave(t, shelf, backuptest.IdA, entry)
		if err := os.WriteFile(entry.Copy, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		engine := &backuptest.Freezer{State: map[string]string{backuptest.IdA: tt.state}, Broken: tt.broken}
		if tt.gone {
			delete(engine.State, backuptest.IdA)
		}
		found, left := recoverWith(t, shelf, engine)
		if len(left) != 0 {
			t.Errorf("%s: %v", name, left)
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
		kept := len(journaltest.Values(t, shelf)) == 1
		_, copied := os.Stat(entry.Copy)
		if kept != tt.kept || (copied == nil) != tt.kept {
			t.Errorf("%s: record kept %v, copy %v, want %v", name, kept, copied, tt.kept)
		}
	}
}

// Nothing is done about a restore that lives, whatever its record asks for: its container is stopped for a reason.
func TestRecoverLeavesLivingRestoresAlone(t *testing.T) {
	shelf := journal.Restores(filepath.Join(t.TempDir(), "restoring"))
	journaltest.Hold(t, shelf, backuptest.IdA, journal.Restore{Pause: backuptest.PauseOf(backuptest.IdA), Sandbox: "alpha", Running: true})
	engine := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "exited"}}
	found, left := recoverWith(t, shelf, engine)
	if held, ok := errors.AsType[*journal.HeldError](errors.Join(left...)); !ok || held.Holder.PID != os.Getpid() || len(found) != 0 || len(engine.Calls) != 0 {
		t.Errorf("%+v, %v after %v", found, left, engine.Calls)
	}
}

// A stop that the killed restore asked for may come about after the first look: the container is started after it.
func TestRecoverRestoreWaitsForTheStop(t *testing.T) {
	shelf := journal.Restores(filepath.Join(t.TempDir(), "restoring"))
	journaltest.Leave(t, shelf, backuptest.IdA, journal.Restore{Pause: backuptest.PauseOf(backuptest.IdA), Running: true, Stopping: true})
	engine := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}}
	time.AfterFunc(home.ThawRetry/2, func() { _ = engine.Set("stop", backuptest.IdA, "exited") })
	found, left := recoverWith(t, shelf, engine)
	if len(left) != 0 || len(found) != 1 || !found[0].Started || engine.State[backuptest.IdA] != "running" {
		t.Errorf("%+v, %v, %v", found, engine.Calls, left)
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
	shelf := journal.Restores(request.Journal)
	there := journaltest.Values(t, shelf)
	if len(there) != 1 || !there[0].Writing || !there[0].Running || there[0].Previous == "" {
		t.Fatalf("the shelf has %+v", there)
	}
	left := there[0]
	living, err := shelf.Own(t.Context(), backuptest.IdA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), request); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("while its run lives: %v", err)
	}
	if err := living.Close(); err != nil {
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
	if there := journaltest.Values(t, shelf); len(there) != 0 || f.State[backuptest.IdA] != "running" {
		t.Errorf("the shelf has %v; the container is %s", there, f.State[backuptest.IdA])
	}
	assertNoCopies(t, request.Store)
}

// Over a home that is half done only the whole home is restored, or once more the part that was.
func TestAPartIsNotRestoredOverAHalfDoneHome(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "copy")
	backuptest.Must(t, os.WriteFile(kept, nil, 0o600))
	left := journal.Restore{Sandbox: "box", Backup: "b1", Scope: string(ScopeState), Writing: true, Copy: kept}
	for _, tt := range []struct {
		backup string
		scope  Scope
		taken  bool
	}{{"b1", ScopeState, true}, {"b2", ScopeState, false}, {"b1", ScopeFull, true}, {"b2", ScopeFull, true}} {
		m := &restoreMark{entry: journal.Restore{Backup: tt.backup, Scope: string(tt.scope)}}
		err := m.takeOver(left)
		if (err == nil) != tt.taken || m.resumed != tt.taken || !tt.taken && !strings.Contains(err.Error(), "finish that one") {
			t.Errorf("%s of %s: taken over %v, %v", tt.scope, tt.backup, m.resumed, err)
		}
	}
}

// A restore on the direct way that was killed is ended, not taken over from: what lies beside the layer may be the only old home.
func TestRestoreTakesNoExchangeOver(t *testing.T) {
	f, request := savedFake(t, "running")
	request.Journal = filepath.Join(t.TempDir(), "restoring")
	shelf := journal.Restores(request.Journal)
	entry := journal.Restore{Pause: backuptest.PauseOf(backuptest.IdA), Sandbox: request.Target.Name}
	entry.Exchange = &journal.Exchange{Upper: "/layer/diff", Stage: "/layer/" + journal.ExchangePrefix + "x"}
	journaltest.Leave(t, shelf, backuptest.IdA, entry)
	before := journaltest.Values(t, shelf)
	_, err := Restore(t.Context(), request)
	if err == nil || !strings.Contains(err.Error(), "has not been ended") || len(f.Calls) > 0 || f.Writes > 0 {
		t.Errorf("%v, calls %q, %d writes", err, f.Calls, f.Writes)
	}
	if diff := cmp.Diff(before, journaltest.Values(t, shelf)); diff != "" {
		t.Errorf("its record (-before +after):\n%s", diff)
	}
}

// What a backup could not hold, or of version 1 did not want to, stays where it is; what it could hold and does not is replaced.
func TestRestoreKeepsWhatTheBackupCouldNotHold(t *testing.T) {
	f, request := savedFake(t, "exited")
	left := func(ctx context.Context, a *archive.Archive) error {
		a.Omit("kept.env", "credential file")
		return a.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 4}, strings.NewReader("then"))
	}
	manifest := archive.Manifest{Sandbox: request.Target.Name, Home: "/sandbox", Secrets: archive.SecretsExclude, Consistency: archive.ConsistencyStopped}
	var err error
	if request.Backup, err = request.Store.Create(t.Context(), store.NewBackup{Manifest: manifest}, left); err != nil {
		t.Fatal(err)
	}
	request.Target = f.Add(backuptest.IdA, "exited", backuptest.Entry{Name: "a", Body: "now", Uid: 998},
		backuptest.Entry{Name: "kept.env", Body: "TOKEN=x"}, backuptest.Entry{Name: "later.env", Body: "TOKEN=y"})
	summary, err := Restore(t.Context(), request)
	if diff := cmp.Diff([]string{"kept.env"}, summary.Kept); err != nil || diff != "" || f.Home(backuptest.IdA)["kept.env"] != "TOKEN=x" {
		t.Errorf("%v, kept (-want +got):\n%s\nhome %v", err, diff, f.Home(backuptest.IdA))
	}
	if _, still := f.Home(backuptest.IdA)["later.env"]; still {
		t.Error("a file that the backup does not have was left in the home")
	}
	before, err := request.Store.Find(request.Target.Name, summary.Previous)
	if err != nil || before.Manifest.Content.Files != 3 {
		t.Errorf("the copy of what was replaced: %+v, %v; want all three files in it", before.Manifest, err)
	}
}
