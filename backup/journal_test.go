package backup

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
)

func testJournal(t *testing.T) *journal {
	t.Helper()
	j, err := newJournal(PausedDir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestJournalKeepsAnEntryUntilItIsRemoved(t *testing.T) {
	j := testJournal(t)
	want := j.entry(engine.Container{ID: idA, Name: "openshell-alpha"}, "unix:///var/run/docker.sock", time.Now())
	if err := j.add(want); err != nil {
		t.Fatal(err)
	}
	got, err := j.list()
	if diff := cmp.Diff([]PausedEntry{want}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if !want.ownerLives() {
		t.Error("this very process counts as dead")
	}
	if err := errors.Join(j.remove(idA), j.remove(idA)); err != nil {
		t.Errorf("removing twice: %v", err)
	}
	if got, err := j.list(); err != nil || len(got) != 0 {
		t.Errorf("after remove: %v, %v", got, err)
	}
}

func TestJournalRefusesWhatIsNoContainer(t *testing.T) {
	for _, id := range []string{"", "../../../etc/passwd", "ABCDEF012345", "short", strings.Repeat("a", 65)} {
		if err := testJournal(t).add(PausedEntry{Container: id}); err == nil {
			t.Errorf("id %q was written", id)
		}
	}
}

func TestJournalReadsAroundADamagedEntry(t *testing.T) {
	j := testJournal(t)
	if err := j.add(j.entry(engine.Container{ID: idA}, "unix:///x", time.Now())); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		idB + journalSuffix:               "{torn",
		"README":                          "not ours",
		idA + journalSuffix + ".part":     "{",
		strings.Repeat("c", 12) + ".json": `{"container":"` + idA + `","host":"unix:///x"}`, // speaks of another one
	} {
		if err := os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := j.list()
	if len(got) != 1 || got[0].Container != idA {
		t.Errorf("got %v", got)
	}
	if err == nil || !strings.Contains(err.Error(), idB) || !strings.Contains(err.Error(), strings.Repeat("c", 12)) {
		t.Errorf("the damaged entries are not named: %v", err)
	}
}

func TestOwnerOfAPause(t *testing.T) {
	own, err := startOf(os.Getpid())
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
		if got := tt.entry.ownerLives(); got != tt.want {
			t.Errorf("%s: lives %t", name, got)
		}
	}
}

func deadEntry(t *testing.T, j *journal, id string) {
	t.Helper()
	if err := j.add(PausedEntry{Container: id, Name: "openshell-x", Host: "unix:///x", PID: 1 << 30, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func TestRecover(t *testing.T) {
	for name, tt := range map[string]struct {
		engine   *freezer
		unpaused bool
		kept     bool
		problem  string
	}{
		"paused":       {engine: &freezer{state: map[string]string{idA: "paused"}}, unpaused: true},
		"runs already": {engine: &freezer{state: map[string]string{idA: "running"}}},
		"gone":         {engine: &freezer{state: map[string]string{}}},
		"engine refuses": {engine: &freezer{
			state:  map[string]string{idA: "paused"},
			broken: map[string]error{"inspect": errors.New("engine is down")},
		}, kept: true, problem: "engine is down"},
	} {
		j := testJournal(t)
		deadEntry(t, j, idA)
		got, err := Recover(t.Context(), j.dir, dialTo(tt.engine))
		if err != nil || len(got) != 1 || got[0].Unpaused != tt.unpaused {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if (got[0].Err != nil) != (tt.problem != "") || tt.problem != "" && !strings.Contains(got[0].Err.Error(), tt.problem) {
			t.Errorf("%s: error %v", name, got[0].Err)
		}
		if left, _ := j.list(); (len(left) == 1) != tt.kept {
			t.Errorf("%s: journal keeps %v", name, left)
		}
	}
}

func TestRecoverLeavesLivingRunsAlone(t *testing.T) {
	j := testJournal(t)
	f := &freezer{state: map[string]string{idA: "paused"}}
	if err := j.add(j.entry(engine.Container{ID: idA}, "unix:///x", time.Now())); err != nil {
		t.Fatal(err)
	}
	got, err := Recover(t.Context(), j.dir, dialTo(f))
	if err != nil || len(got) != 0 || f.state[idA] != "paused" {
		t.Errorf("got %+v, %v, container %s", got, err, f.state[idA])
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
	f := &freezer{state: map[string]string{idA: "running"}}
	p := &pauser{engine: f, host: "unix:///x", journal: j, guard: obedientGuard(t), now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	release, err := p.hold(ctx, engine.Container{ID: idA, Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := j.list(); len(left) != 1 || f.state[idA] != "paused" {
		t.Errorf("while held: journal %v, container %s", left, f.state[idA])
	}
	cancel() // Ctrl-C
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if left, _ := j.list(); len(left) != 0 || f.state[idA] != "running" {
		t.Errorf("after release: journal %v, container %s", left, f.state[idA])
	}
}

func TestPauserTakesBackAPauseThatFailed(t *testing.T) {
	j := testJournal(t)
	f := &freezer{state: map[string]string{idA: "running"}, broken: map[string]error{"pause": errors.New("cannot freeze")}}
	p := &pauser{engine: f, host: "unix:///x", journal: j, guard: obedientGuard(t), now: time.Now}
	_, err := p.hold(t.Context(), engine.Container{ID: idA, Name: "n"})
	if !errors.Is(err, errNotPaused) || errors.Is(err, errThaw) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"pause aa", "unpause aa"}, f.calls); diff != "" {
		t.Errorf("a failed pause may have happened all the same (-want +got):\n%s", diff)
	}
	if left, _ := j.list(); len(left) != 0 {
		t.Errorf("journal %v", left)
	}
}

func TestPauserDoesNotPauseWithoutItsJournal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &freezer{state: map[string]string{idA: "running"}}
	p := &pauser{engine: f, journal: &journal{dir: filepath.Join(file, "paused")}, guard: obedientGuard(t), now: time.Now}
	if _, err := p.hold(t.Context(), engine.Container{ID: idA}); !errors.Is(err, errNotPaused) || len(f.calls) != 0 {
		t.Errorf("got %v after %q", err, f.calls)
	}
}

func FuzzDecodePaused(f *testing.F) {
	f.Add(idA, []byte(`{"container":"`+idA+`","name":"n","host":"unix:///x","pid":1,"started":2}`))
	f.Add(idA, []byte(`{"container":"`+idA+`","host":"unix:///x\nevil"}`))
	f.Add(idB, []byte(`[]`))
	f.Fuzz(func(t *testing.T, id string, text []byte) {
		e, err := decodePaused(id, text)
		if err == nil && (e.Container != id || e.Host == "" || strings.ContainsAny(e.Host, " \n\r\t")) {
			t.Errorf("accepted %+v", e)
		}
	})
}
