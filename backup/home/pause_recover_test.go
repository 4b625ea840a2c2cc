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
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
)

func pauses(t *testing.T) journal.Shelf[journal.Pause] {
	return journal.Pauses(journal.PausedDir(t.TempDir()))
}

func TestRecover(t *testing.T) {
	for name, tt := range map[string]struct {
		engine   *backuptest.Freezer
		change   func(*journal.Pause)
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
		"another engine": {
			engine: &backuptest.Freezer{State: map[string]string{}}, change: func(p *journal.Pause) { p.Engine = "docker ELSE /var/lib/docker" },
			kept: true, problem: "answers now",
		},
		"another engine with a container of that id": {
			engine: &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}, change: func(p *journal.Pause) { p.Engine = "docker ELSE /var/lib/docker" },
			kept: true, problem: "answers now",
		},
		"another container": {
			engine: &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}, change: func(p *journal.Pause) { p.Created = backuptest.FreezerMade().Add(time.Hour) },
			kept: true, problem: "was made at",
		},
		"of an earlier version": {
			engine: &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}, change: func(p *journal.Pause) { p.Engine, p.Created = "", time.Time{} }, unpaused: true,
		},
		"of an earlier version, on an engine that may be another": {
			engine: &backuptest.Freezer{State: map[string]string{}}, change: func(p *journal.Pause) { p.Engine, p.Created = "", time.Time{} }, kept: true, problem: "no container",
		},
	} {
		shelf, pause := pauses(t), backuptest.PauseOf(backuptest.IdA)
		if tt.change != nil {
			tt.change(&pause)
		}
		journaltest.Leave(t, shelf, backuptest.IdA, pause)
		before := tt.engine.Now(backuptest.IdA)
		got, left := Recover(t.Context(), shelf, dialTo(tt.engine))
		if len(left) != 0 || len(got) != 1 || got[0].Unpaused != tt.unpaused {
			t.Errorf("%s: %+v, %v", name, got, left)
			continue
		}
		if (got[0].Err != nil) != (tt.problem != "") || tt.problem != "" && !strings.Contains(got[0].Err.Error(), tt.problem) {
			t.Errorf("%s: error %v", name, got[0].Err)
		}
		if now := tt.engine.Now(backuptest.IdA); !tt.unpaused && now != before {
			t.Errorf("%s: the container was %q and is %q", name, before, now)
		}
		if there := journaltest.Values(t, shelf); (len(there) == 1) != tt.kept {
			t.Errorf("%s: the shelf has %v", name, there)
		}
	}
}

func TestRecoverLeavesLivingRunsAlone(t *testing.T) {
	shelf := pauses(t)
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}
	journaltest.Hold(t, shelf, backuptest.IdA, backuptest.PauseOf(backuptest.IdA))
	got, left := Recover(t.Context(), shelf, dialTo(f))
	if len(got) != 0 || len(left) != 1 || f.State[backuptest.IdA] != "paused" {
		t.Errorf("got %+v, container %s", got, f.State[backuptest.IdA])
	}
	if held, ok := errors.AsType[*journal.HeldError](errors.Join(left...)); !ok || held.Holder.PID != os.Getpid() {
		t.Errorf("its owner is not named: %v", left)
	}
}

func TestRecoverWithoutARecordAsksNobody(t *testing.T) {
	got, left := Recover(t.Context(), pauses(t), func(context.Context, string) (Freezer, error) {
		t.Error("an engine was dialled")
		return nil, errors.New("no")
	})
	if len(left) != 0 || got != nil {
		t.Errorf("got %+v, %v", got, left)
	}
}

// The morning after a power cut: two sandboxes were left paused, and the engine is not up yet. It is asked once, and nothing breaks.
func TestRecoverOfTwoBeforeTheEngineIsUp(t *testing.T) {
	shelf, dials := pauses(t), 0
	for _, id := range []string{backuptest.IdA, backuptest.IdB} {
		journaltest.Leave(t, shelf, id, backuptest.PauseOf(id))
	}
	got, left := Recover(t.Context(), shelf, func(context.Context, string) (Freezer, error) {
		dials++
		var none *engine.Engine
		return none, errors.New("nobody listens")
	})
	if len(left) != 0 || len(got) != 2 || dials != 1 {
		t.Fatalf("%+v, %v after %d dials", got, left, dials)
	}
	for _, r := range got {
		if r.Err == nil || r.Unpaused || !strings.Contains(r.Err.Error(), "nobody listens") {
			t.Errorf("%+v", r)
		}
	}
	if there := journaltest.Values(t, shelf); len(there) != 2 {
		t.Errorf("the shelf has %v", there)
	}
}

// The record is there before the guard is asked, the guard has agreed before the pause, the container goes on before the record is taken
// away, and only then the guard is told.
func TestPauserOrder(t *testing.T) {
	shelf := pauses(t)
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}}
	var order []string
	see := func(what string) {
		order = append(order, what+": "+f.Now(backuptest.IdA)+map[bool]string{true: ", on the shelf", false: ""}[len(journaltest.Values(t, shelf)) == 1])
	}
	f.Called = func(call string) { see(call) }
	guard := spyingGuard(t, see)
	p := &Pauser{Engine: f, Host: "unix:///x", Shelf: shelf, Guard: guard, Limit: time.Minute, Now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	release, err := p.Hold(ctx, engine.Container{ID: backuptest.IdA, Name: "n", Created: backuptest.FreezerMade()})
	if err != nil {
		t.Fatal(err)
	}
	if _, left := Recover(t.Context(), shelf, dialTo(f)); len(left) != 1 || f.Now(backuptest.IdA) != "paused" {
		t.Errorf("another run takes the pause back: %v, %s", left, f.Now(backuptest.IdA))
	}
	cancel() // Ctrl-C
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if err := guard.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"guard hears of the pause: running, on the shelf", "pause: running, on the shelf", "unpause: paused, on the shelf", "guard hears of the end: running",
	}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestPauserKeepsTheRecordOfWhatItCouldNotUnpause(t *testing.T) {
	synctestThaw(t, func(t *testing.T, p *Pauser, f *backuptest.Freezer) {
		release, err := p.Hold(t.Context(), engine.Container{ID: backuptest.IdA, Name: "n"})
		if err != nil {
			t.Fatal(err)
		}
		f.Broken = map[string]error{"unpause": errors.New("engine is down")}
		if err := release(); !errors.Is(err, ErrThaw) {
			t.Errorf("release: %v", err)
		}
		if there := journaltest.Values(t, p.Shelf); len(there) != 1 {
			t.Errorf("the shelf has %v of a container that is still paused", there)
		}
		f.Broken = nil
		if got, left := Recover(t.Context(), p.Shelf, dialTo(f)); len(got) != 1 || !got[0].Unpaused || len(left) != 0 {
			t.Errorf("the next run: %+v, %v", got, left)
		}
	})
}

func TestPauserTakesBackAPauseThatFailed(t *testing.T) {
	shelf := pauses(t)
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}, Broken: map[string]error{"pause": errors.New("cannot freeze")}}
	p := &Pauser{Engine: f, Host: "unix:///x", Shelf: shelf, Guard: obedientGuard(t), Limit: time.Minute, Now: time.Now}
	_, err := p.Hold(t.Context(), engine.Container{ID: backuptest.IdA, Name: "n"})
	if !errors.Is(err, ErrNotPaused) || errors.Is(err, ErrThaw) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"pause aa", "unpause aa"}, f.Calls); diff != "" {
		t.Errorf("a failed pause may have happened all the same (-want +got):\n%s", diff)
	}
	if there := journaltest.Values(t, shelf); len(there) != 0 {
		t.Errorf("the shelf has %v", there)
	}
}

// A pause request that Ctrl-C cut off may be carried out all the same: so it is not cut off.
func TestPauseIsNotCutOff(t *testing.T) {
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}}
	ctx, cancel := context.WithCancel(t.Context())
	p := &Pauser{Engine: cutting{f, cancel}, Host: "unix:///x", Shelf: pauses(t), Guard: obedientGuard(t), Limit: time.Minute, Now: time.Now}
	release, err := p.Hold(ctx, engine.Container{ID: backuptest.IdA, Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil || f.Now(backuptest.IdA) != "running" {
		t.Errorf("%v, container %s", err, f.Now(backuptest.IdA))
	}
}

// cutting ends the run's context while the engine pauses and unpauses; a request that dies of that is not carried out.
type cutting struct {
	*backuptest.Freezer
	cancel func()
}

func (c cutting) Pause(ctx context.Context, id string) error {
	c.cancel()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.Freezer.Pause(ctx, id)
}

func (c cutting) Unpause(ctx context.Context, id string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.Freezer.Unpause(ctx, id)
}

// Without a record, without a guard that agrees, or on an engine that does not say which one it is, nothing is paused.
func TestPauserDoesNotPauseUnsafely(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	held := pauses(t)
	for name, p := range map[string]*Pauser{
		"no place for a record": {Shelf: journal.Pauses(filepath.Join(file, "paused")), Guard: obedientGuard(t), Engine: &backuptest.Freezer{}},
		"the guard is gone":     {Shelf: pauses(t), Guard: goneGuard(t), Engine: &backuptest.Freezer{}},
		"which engine it is":    {Shelf: pauses(t), Guard: obedientGuard(t), Engine: &backuptest.Freezer{Broken: map[string]error{"identity": errors.New("not said")}}},
		"another run pauses it": {Shelf: held, Guard: obedientGuard(t), Engine: &backuptest.Freezer{}},
	} {
		if name == "another run pauses it" {
			journaltest.Hold(t, held, backuptest.IdA, backuptest.PauseOf(backuptest.IdA))
		}
		f := p.Engine.(*backuptest.Freezer)
		f.State, p.Host, p.Limit, p.Now = map[string]string{backuptest.IdA: "running"}, "unix:///x", time.Minute, time.Now
		if _, err := p.Hold(t.Context(), engine.Container{ID: backuptest.IdA}); !errors.Is(err, ErrNotPaused) || len(f.Calls) != 0 {
			t.Errorf("%s: got %v after %q", name, err, f.Calls)
		}
		if name == "the guard is gone" && len(journaltest.Values(t, p.Shelf)) != 0 {
			t.Errorf("%s: the record stays", name)
		}
	}
}
