package home

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
)

func testJournal(t *testing.T) *Journal {
	t.Helper()
	j, err := NewJournal(PausedDir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJournalKeepsAnEntryUntilItIsRemoved(t *testing.T) {
	j := testJournal(t)
	want := j.Entry(engine.Container{ID: backuptest.IdA, Name: "openshell-alpha"}, "unix:///var/run/docker.sock", time.Now())
	if err := j.Add(want); err != nil {
		t.Fatal(err)
	}
	got, err := j.List()
	if diff := cmp.Diff([]PausedEntry{want}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if !want.OwnerLives() {
		t.Error("this very process counts as dead")
	}
	if err := errors.Join(j.remove(backuptest.IdA), j.remove(backuptest.IdA)); err != nil {
		t.Errorf("removing twice: %v", err)
	}
	if got, err := j.List(); err != nil || len(got) != 0 {
		t.Errorf("after remove: %v, %v", got, err)
	}
}

func TestJournalRefusesWhatIsNoContainer(t *testing.T) {
	for _, id := range []string{"", "../../../etc/passwd", "ABCDEF012345", "short", strings.Repeat("a", 65)} {
		if err := testJournal(t).Add(PausedEntry{Container: id}); err == nil {
			t.Errorf("id %q was written", id)
		}
	}
}

func TestJournalReadsAroundADamagedEntry(t *testing.T) {
	j := testJournal(t)
	if err := j.Add(j.Entry(engine.Container{ID: backuptest.IdA}, "unix:///x", time.Now())); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		backuptest.IdB + JournalSuffix:           "{torn",
		"README":                                 "not ours",
		backuptest.IdA + JournalSuffix + ".part": "{",
		strings.Repeat("c", 12) + ".json":        `{"container":"` + backuptest.IdA + `","host":"unix:///x"}`, // speaks of another one
	} {
		if err := os.WriteFile(filepath.Join(j.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := j.List()
	if len(got) != 1 || got[0].Container != backuptest.IdA {
		t.Errorf("got %v", got)
	}
	if err == nil || !strings.Contains(err.Error(), backuptest.IdB) || !strings.Contains(err.Error(), strings.Repeat("c", 12)) {
		t.Errorf("the damaged entries are not named: %v", err)
	}
}

func TestOwnerOfAPause(t *testing.T) {
	own, err := StartOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		entry PausedEntry
		want  bool
	}{
		"this process":                   {PausedEntry{PID: os.Getpid(), Started: own}, true},
		"clock was set a little":         {PausedEntry{PID: os.Getpid(), Started: own - 1500}, true},
		"PID was given to somebody else": {PausedEntry{PID: os.Getpid(), Started: own - 60_000}, false},
		"no such process":                {PausedEntry{PID: 1 << 30, Started: own}, false},
		"no PID":                         {PausedEntry{}, false},
	} {
		if got := tt.entry.OwnerLives(); got != tt.want {
			t.Errorf("%s: lives %t", name, got)
		}
	}
}

func deadEntry(t *testing.T, j *Journal, id string) {
	t.Helper()
	if err := j.Add(PausedEntry{Container: id, Name: "openshell-x", Host: "unix:///x", PID: 1 << 30, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func TestRecover(t *testing.T) {
	for name, tt := range map[string]struct {
		engine   *backuptest.Freezer
		unpaused bool
		kept     bool
		problem  string
	}{
		"paused":       {engine: &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}, unpaused: true},
		"runs already": {engine: &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}}},
		"gone":         {engine: &backuptest.Freezer{State: map[string]string{}}},
		"engine refuses": {engine: &backuptest.Freezer{
			State:  map[string]string{backuptest.IdA: "paused"},
			Broken: map[string]error{"inspect": errors.New("engine is down")},
		}, kept: true, problem: "engine is down"},
	} {
		j := testJournal(t)
		deadEntry(t, j, backuptest.IdA)
		got, err := Recover(t.Context(), j.Dir, dialTo(tt.engine))
		if err != nil || len(got) != 1 || got[0].Unpaused != tt.unpaused {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if (got[0].Err != nil) != (tt.problem != "") || tt.problem != "" && !strings.Contains(got[0].Err.Error(), tt.problem) {
			t.Errorf("%s: error %v", name, got[0].Err)
		}
		if left, _ := j.List(); (len(left) == 1) != tt.kept {
			t.Errorf("%s: journal keeps %v", name, left)
		}
	}
}

func TestRecoverLeavesLivingRunsAlone(t *testing.T) {
	j := testJournal(t)
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}
	if err := j.Add(j.Entry(engine.Container{ID: backuptest.IdA}, "unix:///x", time.Now())); err != nil {
		t.Fatal(err)
	}
	got, err := Recover(t.Context(), j.Dir, dialTo(f))
	if err != nil || len(got) != 0 || f.State[backuptest.IdA] != "paused" {
		t.Errorf("got %+v, %v, container %s", got, err, f.State[backuptest.IdA])
	}
}

func TestRecoverWithoutAJournalAsksNobody(t *testing.T) {
	got, err := Recover(t.Context(), filepath.Join(t.TempDir(), "none"), func(context.Context, string) (Freezer, error) {
		t.Error("an engine was dialled")
		return nil, errors.New("no")
	})
	if err != nil || got != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPauserOrder(t *testing.T) {
	j := testJournal(t)
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}}
	p := &Pauser{Engine: f, Host: "unix:///x", Journal: j, Guard: obedientGuard(t), Now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	release, err := p.Hold(ctx, engine.Container{ID: backuptest.IdA, Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := j.List(); len(left) != 1 || f.State[backuptest.IdA] != "paused" {
		t.Errorf("while held: journal %v, container %s", left, f.State[backuptest.IdA])
	}
	cancel() // Ctrl-C
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if left, _ := j.List(); len(left) != 0 || f.State[backuptest.IdA] != "running" {
		t.Errorf("after release: journal %v, container %s", left, f.State[backuptest.IdA])
	}
}

func TestPauserTakesBackAPauseThatFailed(t *testing.T) {
	j := testJournal(t)
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}, Broken: map[string]error{"pause": errors.New("cannot freeze")}}
	p := &Pauser{Engine: f, Host: "unix:///x", Journal: j, Guard: obedientGuard(t), Now: time.Now}
	_, err := p.Hold(t.Context(), engine.Container{ID: backuptest.IdA, Name: "n"})
	if !errors.Is(err, ErrNotPaused) || errors.Is(err, ErrThaw) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"pause aa", "unpause aa"}, f.Calls); diff != "" {
		t.Errorf("a failed pause may have happened all the same (-want +got):\n%s", diff)
	}
	if left, _ := j.List(); len(left) != 0 {
		t.Errorf("journal %v", left)
	}
}

func TestPauserDoesNotPauseWithoutItsJournal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}}
	p := &Pauser{Engine: f, Journal: &Journal{Dir: filepath.Join(file, "paused")}, Guard: obedientGuard(t), Now: time.Now}
	if _, err := p.Hold(t.Context(), engine.Container{ID: backuptest.IdA}); !errors.Is(err, ErrNotPaused) || len(f.Calls) != 0 {
		t.Errorf("got %v after %q", err, f.Calls)
	}
}

func FuzzDecodePaused(f *testing.F) {
	f.Add(backuptest.IdA, []byte(`{"container":"`+backuptest.IdA+`","name":"n","host":"unix:///x","pid":1,"started":2}`))
	f.Add(backuptest.IdA, []byte(`{"container":"`+backuptest.IdA+`","host":"unix:///x\nevil"}`))
	f.Add(backuptest.IdB, []byte(`[]`))
	f.Fuzz(func(t *testing.T, id string, text []byte) {
		e, err := decodePaused(id, text)
		if err == nil && (e.Container != id || e.Host == "" || strings.ContainsAny(e.Host, " \n\r\t")) {
			t.Errorf("accepted %+v", e)
		}
	})
}
