package noop

import (
	"context"
	"errors"
	"path/filepath"
	"sandkeeper/lifecycle"
	"strings"
	"testing"
	"time"
)

// gateway is the smallest driver a test of an extension needs.
type gateway struct {
	lifecycle.Driver
	refuses error
	records []lifecycle.Record
}

func (g *gateway) CreateSandbox(_ context.Context, r lifecycle.Request) (lifecycle.Record, error) {
	if g.refuses != nil {
		return lifecycle.Record{}, g.refuses
	}
	record := lifecycle.Record{ID: "id-1", Name: r.Name, Gateway: r.Gateway}
	g.records = []lifecycle.Record{record}
	return record, nil
}

func (g *gateway) DeleteSandbox(context.Context, lifecycle.Reference) error {
	g.records = nil
	return nil
}

func (g *gateway) ListSandboxes(context.Context) ([]lifecycle.Record, error) { return g.records, nil }

type fixture struct {
	*lifecycle.Chain
	gateway *gateway
	store   *lifecycle.Store
	alpha   lifecycle.Request
}

// start links the extension in and configures it, exactly as a program would.
func start(t *testing.T, table string) fixture {
	t.Helper()
	store, err := lifecycle.OpenStore(filepath.Join(t.TempDir(), "state.db"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f := fixture{gateway: &gateway{}, store: store, alpha: lifecycle.Request{Name: "alpha", Gateway: "gw"}}
	f.Chain = chain(t, store, table)
	return f
}

func chain(t *testing.T, store *lifecycle.Store, table string) *lifecycle.Chain {
	t.Helper()
	links, err := configure(t, table)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := lifecycle.NewChain(lifecycle.Options{Links: links, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

func configure(t *testing.T, table string) ([]lifecycle.Link, error) {
	t.Helper()
	registry, err := lifecycle.NewRegistry(Definition())
	if err != nil {
		t.Fatal(err)
	}
	data := "[compute]\nextensions = [\"noop\"]\n[compute.extension.noop]\n" + table
	return lifecycle.Configure(registry, lifecycle.Source{File: "config.toml", Data: []byte(data)})
}

func TestALife(t *testing.T) {
	f := start(t, `greeting = "hello"`)
	record, err := f.Wrap(f.gateway).CreateSandbox(t.Context(), f.alpha)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := f.store.State("alpha", "noop")
	if err != nil || string(shown.JSON) != `{"greeting":"hello"}` || shown.Sandbox.ID != record.ID {
		t.Errorf("state %+v, %v", shown, err)
	}
	if err := f.Wrap(f.gateway).DeleteSandbox(t.Context(), shown.Sandbox); err != nil {
		t.Fatal(err)
	}
	if states, err := f.store.States(); err != nil || len(states) != 0 {
		t.Errorf("left: %+v, %v", states, err)
	}
}

func TestAFailedCreationLeavesNothing(t *testing.T) {
	f := start(t, "")
	f.gateway.refuses = errors.New("quota")
	if _, err := f.Wrap(f.gateway).CreateSandbox(t.Context(), f.alpha); !errors.Is(err, f.gateway.refuses) {
		t.Errorf("error %v", err)
	}
	if tracked, err := f.store.Tracked(); err != nil || len(tracked) != 0 {
		t.Errorf("left: %+v, %v", tracked, err)
	}
}

func TestReconcile(t *testing.T) {
	f := start(t, `greeting = "hello"`)
	if _, err := f.Wrap(f.gateway).CreateSandbox(t.Context(), f.alpha); err != nil {
		t.Fatal(err)
	}
	drivers := map[string]lifecycle.Driver{"gw": f.gateway}
	reports, err := f.Chain.Reconcile(t.Context(), drivers)
	if err != nil || len(reports) != 1 || len(reports[0].Drift) != 0 {
		t.Errorf("as it should be: %+v, %v", reports, err)
	}
	reports, err = chain(t, f.store, `greeting = "servus"`).Reconcile(t.Context(), drivers)
	if err != nil || len(reports[0].Drift) != 1 {
		t.Errorf("with another greeting: %+v, %v", reports, err)
	}
	f.gateway.records = nil
	if _, err := f.Chain.Reconcile(t.Context(), drivers); err != nil {
		t.Fatal(err)
	}
	if tracked, err := f.store.Tracked(); err != nil || len(tracked) != 0 {
		t.Errorf("left of a sandbox that vanished: %+v, %v", tracked, err)
	}
}

func TestReconcileWithoutAndWithForeignState(t *testing.T) {
	e := &extension{}
	listed := lifecycle.Sandbox{Presence: lifecycle.Listed}
	if outcome, err := e.Reconcile(t.Context(), listed, nil); err != nil || len(outcome.Drift) != 0 {
		t.Errorf("without state: %+v, %v", outcome, err)
	}
	if _, err := e.Reconcile(t.Context(), listed, &lifecycle.State{SchemaVersion: schema, Payload: []byte("{")}); err == nil {
		t.Error("a damaged payload was not reported")
	}
}

func TestBadValueIsRefusedWithItsLine(t *testing.T) {
	_, err := configure(t, `greeting = "`+strings.Repeat("x", 81)+`"`)
	if err == nil || err.Error() != `config.toml:4: extension "noop": greeting: at most 80 bytes, not 81` {
		t.Errorf("error %v", err)
	}
}
