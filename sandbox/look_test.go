package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sandkeeper/engine"
	"sandkeeper/openshell"
)

func TestTakeOfAnEmptyRegistryContactsNoGateway(t *testing.T) {
	for name, h := range map[string]*host{
		"engine":             {gateway: "nemoclaw"},
		"no engine":          {gateway: "nemoclaw", engineErr: ErrNoEngine},
		"offline":            {gateway: "nemoclaw", offline: true},
		"only reservations ": {gateway: "nemoclaw"},
	} {
		inv, err := Take(t.Context(), h.sources())
		if err != nil || !inv.Empty || len(inv.Sandboxes) != 0 {
			t.Errorf("%s: %+v, %v", name, inv, err)
		}
		if got := strings.Join(h.calls, ","); got != "containers" {
			t.Errorf("%s: called %s", name, got)
		}
	}
}

func TestTakeOfAnEmptyRegistryLooksOnWhereItCannotBeSure(t *testing.T) {
	for name, h := range map[string]*host{
		"labelled container": {engine: []engine.Container{box("c1", "a", "", "running")}},
		"engine down":        {engineErr: errors.New("down")},
	} {
		h.gateway, h.lists = "nemoclaw", list1{"nemoclaw": nil}
		inv, err := Take(t.Context(), h.sources())
		if err != nil || inv.Empty {
			t.Errorf("%s: %+v, %v", name, inv, err)
		}
		if got := strings.Join(h.calls, ","); got != "containers,list nemoclaw" {
			t.Errorf("%s: called %s", name, got)
		}
	}
	s := (&host{gateway: "nemoclaw", lists: list1{"nemoclaw": nil}}).sources()
	s.Registry.Problems = []string{"row \"x\" is ignored"}
	if inv, err := Take(t.Context(), s); err != nil || inv.Empty || len(inv.Warnings) != 1 {
		t.Errorf("a registry of odd rows: %+v, %v", inv, err)
	}
}

func TestTakeNeverTakesAFailedListingForEmpty(t *testing.T) {
	h := &host{rows: []Row{row("a"), on("nemoclaw-9", row("b"))}, lists: list1{"nemoclaw": {listed("a", "", "Ready")}}}
	_, err := Take(t.Context(), h.sources())
	if !is[*openshell.ListingError](err) || !strings.Contains(err.Error(), `gateway "nemoclaw-9"`) {
		t.Errorf("got %v", err)
	}
}

func TestTakePutsADecodeFailureFirst(t *testing.T) {
	s := (&host{rows: []Row{on("a", row("x")), on("b", row("x"))}}).sources()
	s.List = func(_ context.Context, name string) ([]openshell.ListedSandbox, error) {
		if name == "b" {
			return nil, &openshell.MismatchError{Gateway: name, Op: "sandbox list", Output: "invalid wire type"}
		}
		return nil, &openshell.ListingError{Gateway: name, Op: "sandbox list", Unreachable: true}
	}
	_, err := Take(t.Context(), s)
	if !is[*openshell.MismatchError](err) || !is[*openshell.ListingError](err) || !strings.HasPrefix(err.Error(), `openshell sandbox list of gateway "b"`) {
		t.Errorf("got %v", err)
	}
}

func TestTakeFailsWhenTheSecondLookFails(t *testing.T) {
	s := (&host{rows: []Row{row("a")}}).sources()
	asked := 0
	s.List = func(context.Context, string) ([]openshell.ListedSandbox, error) {
		if asked++; asked == 1 {
			return nil, nil
		}
		return nil, &openshell.MismatchError{Gateway: "nemoclaw"}
	}
	if inv, err := Take(t.Context(), s); !is[*openshell.MismatchError](err) {
		t.Errorf("got %+v, %v", inv, err)
	}
}

func TestTakeSurfacesUnspecifiedPhases(t *testing.T) {
	h := &host{rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i1", "Unspecified"), listed("b", "i2", "SANDBOX_PHASE_UNSPECIFIED")}}}
	_, err := Take(t.Context(), h.sources())
	drift, ok := errors.AsType[*UnspecifiedError](err)
	if !ok || drift.Gateway != "nemoclaw" || drift.Count != 2 || !strings.Contains(err.Error(), "2 sandbox(es)") {
		t.Errorf("got %v", err)
	}
	for _, fine := range [][]openshell.ListedSandbox{nil, {listed("a", "", "")}, {listed("a", "", "Unspecified"), listed("b", "", "Ready")}} {
		if AllUnspecified(fine) {
			t.Errorf("%v", fine)
		}
	}
}

func TestTakeRefusesToGuessWhenNothingCanBeAsked(t *testing.T) {
	for name, h := range map[string]*host{
		"offline, engine down": {rows: []Row{row("a")}, offline: true, engineErr: errors.New("down")},
		"offline, no engine":   {rows: []Row{row("a")}, offline: true, engineErr: ErrNoEngine},
		"nothing at all":       {noRegistry: true, engineErr: ErrNoEngine},
	} {
		if inv, err := Take(t.Context(), h.sources()); err == nil {
			t.Errorf("%s: %+v", name, inv)
		}
	}
	s := (&host{noRegistry: true, offline: true}).sources()
	s.Containers = nil
	if inv, err := Take(t.Context(), s); !errors.Is(err, ErrNoEngine) {
		t.Errorf("no containers function: %+v, %v", inv, err)
	}
}

func TestTakeWarnsOfLeftoversAndSilentEngines(t *testing.T) {
	h := &host{
		rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i2", "Ready")}},
		engine: []engine.Container{box("c1", "a", "i1", "exited"), box("c2", "a", "i2", "running")},
	}
	inv, err := Take(t.Context(), h.sources())
	if err != nil || len(inv.Warnings) != 1 || !strings.Contains(inv.Warnings[0], `"openshell-a-c1"`) {
		t.Errorf("%v, %v", inv.Warnings, err)
	}
	h = &host{rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i2", "Ready")}}, engineErr: errors.New("down")}
	inv, err = Take(t.Context(), h.sources())
	if err != nil || len(inv.Warnings) != 1 || !strings.Contains(inv.Warnings[0], "down") || inv.Source != "registry+gateway" {
		t.Errorf("%v, %q, %v", inv.Warnings, inv.Source, err)
	}
}

func TestTakeNamesItsSources(t *testing.T) {
	for want, h := range map[string]*host{
		"registry+gateway+containers": {rows: []Row{row("a")}, lists: list1{"nemoclaw": nil}},
		"gateway+containers":          {noRegistry: true, gateway: "g", lists: list1{"g": nil}},
		"containers":                  {rows: []Row{row("a")}, offline: true},
	} {
		if inv, err := Take(t.Context(), h.sources()); err != nil || inv.Source != want {
			t.Errorf("got %q, %v; want %q", inv.Source, err, want)
		}
	}
}

func TestTakeStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Take(ctx, (&host{rows: []Row{row("a")}, lists: list1{"nemoclaw": nil}}).sources()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTakeAsksOnceForAThousandRows(t *testing.T) {
	h := &host{lists: list1{"nemoclaw": nil, "nemoclaw-9": nil}}
	for i := range 1000 {
		name := fmt.Sprintf("s%03d", i)
		gw := []string{"nemoclaw", "nemoclaw-9"}[i%2]
		h.rows = append(h.rows, on(gw, row(name)))
		h.lists[gw] = append(h.lists[gw], listed(name, "id-"+name, "Ready"))
		h.engine = append(h.engine, box("c-"+name, name, "id-"+name, "running"))
	}
	inv, err := Take(t.Context(), h.sources())
	if err != nil || len(inv.Sandboxes) != 1000 || len(h.calls) != 3 {
		t.Fatalf("%d sandboxes, calls %v, %v", len(inv.Sandboxes), h.calls, err)
	}
	for _, s := range inv.Sandboxes {
		if s.Standing != Ready || s.Container == nil || s.Container.SandboxName != s.Name {
			t.Fatalf("%+v", s)
		}
	}
	h.lists, h.calls = list1{"nemoclaw": nil, "nemoclaw-9": nil}, nil
	h.engine = nil
	if inv, err = Take(t.Context(), h.sources()); err != nil || len(h.calls) != 6 || inv.Sandboxes[999].Standing != Orphaned {
		t.Fatalf("calls %v, %v", h.calls, err)
	}
}
