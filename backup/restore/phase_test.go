package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// gatewaySwitch is a gateway that stops and starts the containers of an engine in memory, or does not.
type gatewaySwitch struct {
	set         func(state string)
	stop, start error
	calls       []string
}

func (g *gatewaySwitch) StopSandbox(_ context.Context, sb sandbox.Sandbox) error {
	return g.turn("stop", sb, "exited", g.stop)
}

func (g *gatewaySwitch) StartSandbox(_ context.Context, sb sandbox.Sandbox) error {
	return g.turn("start", sb, "running", g.start)
}

func (g *gatewaySwitch) turn(call string, sb sandbox.Sandbox, state string, failure error) error {
	g.calls = append(g.calls, fmt.Sprintf("%s %s of %s in %s", call, sb.ID, sb.Gateway, sb.Workspace))
	if failure == nil {
		g.set(state)
	}
	return failure
}

// switched is a restore into a sandbox whose gateway answers.
func switched(t *testing.T) (*backuptest.FakeEngine, Request, *gatewaySwitch) {
	t.Helper()
	f, request := savedFake(t, "running")
	g := &gatewaySwitch{set: func(state string) { f.State[backuptest.IdA] = state }}
	request.Target.Gateway, request.Target.Workspace, request.Target.ID = "openshell", "team2", "id-1"
	request.Switch = g
	return f, request, g
}

func unreachable() error {
	return &openshell.ConnectError{Gateway: "openshell", Kind: openshell.Unreachable, Err: errors.New("connection refused")}
}

// A sandbox that is stopped behind its gateway's back is failed to the gateway, which then neither stops nor starts it.
func TestRestoreStopsThroughTheGateway(t *testing.T) {
	byEngine := []string{"stop aa", "start aa"}
	for name, tt := range map[string]struct {
		stop, start error
		role        string
		engine      []string // what the engine is asked for
		warned      bool
		refused     string
	}{
		"it answers":                     {},
		"it answers, and it is a pair":   {role: "sandbox"},
		"it is too old":                  {stop: openshell.ErrUnsupported, engine: byEngine},
		"it does not in this phase":      {stop: openshell.ErrPhase, engine: byEngine, warned: true},
		"it knows no such sandbox":       {stop: fs.ErrNotExist, engine: byEngine, warned: true},
		"it cannot be reached":           {stop: unreachable(), engine: byEngine, warned: true},
		"it cannot be reached by a pair": {stop: unreachable(), role: "sandbox", refused: "connection refused"},
		"it refuses":                     {stop: &openshell.CallError{Code: "PermissionDenied", Message: "not on a Friday"}, refused: "not on a Friday"},
		"it is gone when it is to start": {start: unreachable(), engine: []string{"start aa"}, warned: true},
	} {
		t.Run(name, func(t *testing.T) {
			f, request, g := switched(t)
			f.Role, g.stop, g.start = tt.role, tt.stop, tt.start
			summary, err := Restore(t.Context(), request)
			if diff := cmp.Diff(tt.engine, f.Calls); diff != "" || f.State[backuptest.IdA] != "running" {
				t.Errorf("the container is %s; asked of the engine (-want +got):\n%s", f.State[backuptest.IdA], diff)
			}
			if g.calls[0] != "stop id-1 of openshell in team2" {
				t.Errorf("asked of the gateway: %q", g.calls)
			}
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) || summary.Done || f.Writes > 0 {
					t.Errorf("%+v, %v, %d writes", summary, err, f.Writes)
				}
				return
			}
			if err != nil || !summary.Done || (len(summary.Warnings) > 0) != tt.warned {
				t.Errorf("%+v, %v", summary, err)
			}
		})
	}
}

// What a gateway calls stopped may have been started behind its back: then nobody writes to its home until the engine has stopped it too.
func TestRestoreTrustsTheEngineThatTheContainerStopped(t *testing.T) {
	f, request, g := switched(t)
	g.set = func(string) {}
	summary, err := Restore(t.Context(), request)
	if diff := cmp.Diff([]string{"stop aa", "start aa"}, f.Calls); err != nil || !summary.Done || diff != "" {
		t.Errorf("%+v, %v, calls (-want +got):\n%s", summary, err, diff)
	}
}

// A sandbox that a killed restore has stopped through its gateway is Stopped there: its gateway has to start it, and nobody else.
func TestRecoverStartsThroughTheGateway(t *testing.T) {
	through := &journal.Through{Gateway: "openshell", Workspace: "team2", ID: "id-1"}
	for name, tt := range map[string]struct {
		state   string
		asks    bool
		start   error
		engine  []string
		started bool
		left    bool
	}{
		"stopped":                        {state: "exited", asks: true, started: true},
		"never stopped":                  {state: "running", asks: true},
		"nobody may ask":                 {state: "exited", left: true},
		"nobody need ask":                {state: "running"},
		"its gateway refuses":            {state: "exited", asks: true, start: &openshell.CallError{Code: "PermissionDenied"}, left: true},
		"its gateway is gone":            {state: "exited", asks: true, start: unreachable(), engine: []string{"start aa"}, started: true},
		"gone, and it was never stopped": {state: "running", asks: true, start: unreachable()},
	} {
		t.Run(name, func(t *testing.T) {
			shelf := journal.Restores(filepath.Join(t.TempDir(), "restoring"))
			journaltest.Leave(t, shelf, backuptest.IdA, journal.Restore{Pause: backuptest.PauseOf(backuptest.IdA), Sandbox: "alpha", Running: true, Through: through})
			e := &backuptest.Freezer{State: map[string]string{backuptest.IdA: tt.state}}
			r := Recoverer{Dial: func(context.Context, string) (Restarter, error) { return starts{e}, nil }}
			if tt.asks {
				r.Switch = &gatewaySwitch{start: tt.start, set: func(state string) { e.State[backuptest.IdA] = state }}
			}
			found, left := r.Recover(t.Context(), shelf)
			started := len(found) == 1 && found[0].Started
			if len(left) > 0 || started != tt.started || (len(journaltest.Values(t, shelf)) > 0) != tt.left {
				t.Errorf("%+v, left alone: %v", found, left)
			}
			if diff := cmp.Diff(tt.engine, e.Calls); diff != "" {
				t.Errorf("asked of the engine (-want +got):\n%s", diff)
			}
		})
	}
}
