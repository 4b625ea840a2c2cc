package lifecycle

import (
	"context"
	"testing"
)

type still struct{ Driver }

func (still) CreateSandbox(context.Context, Request) (Record, error) { return Record{}, nil }

func TestEmptyChainIsTheDriverItself(t *testing.T) {
	chain, err := NewChain(Options{})
	if err != nil {
		t.Fatal(err)
	}
	driver := &still{}
	if got := chain.Wrap(driver); got != Driver(driver) {
		t.Errorf("an empty chain made %T of the driver", got)
	}
	ctx, request := t.Context(), Request{Name: "alpha"}
	if n := testing.AllocsPerRun(100, func() { _, _ = chain.Wrap(driver).CreateSandbox(ctx, request) }); n != 0 {
		t.Errorf("an empty chain allocates %v times", n)
	}
	reports, err := chain.Reconcile(ctx, map[string]Driver{"gw": driver})
	if reports != nil || err != nil {
		t.Errorf("an empty chain reconciled: %v, %v", reports, err)
	}
}

func TestListingAndWatchingGoStraightThrough(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	records, err := b.driver.ListSandboxes(t.Context())
	if err != nil || len(records) != 1 {
		t.Errorf("%v, %v", records, err)
	}
	if err := b.driver.WatchSandboxes(t.Context(), nil); err == nil || err.Error() != "watched" {
		t.Errorf("watch: %v", err)
	}
}

func TestChainsThatCannotBe(t *testing.T) {
	e := &scripted{}
	store := &Store{}
	for name, o := range map[string]Options{
		"no store":     {Links: []Link{{Name: "a", Extension: e}}},
		"no name":      {Links: []Link{{Extension: e}}, Store: store},
		"no extension": {Links: []Link{{Name: "a"}}, Store: store},
		"twice":        {Links: []Link{{Name: "a", Extension: e}, {Name: "a", Extension: e}}, Store: store},
	} {
		if _, err := NewChain(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// opaque keeps the compiler from seeing which driver it is, so that both benchmarks call through the interface.
//
//go:noinline
func opaque(d Driver) Driver { return d }

func BenchmarkEmptyChain(b *testing.B) {
	chain, _ := NewChain(Options{})
	driver := opaque(chain.Wrap(&still{}))
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = driver.CreateSandbox(ctx, Request{Name: "alpha"})
	}
}

func BenchmarkBareDriver(b *testing.B) {
	driver := opaque(&still{})
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = driver.CreateSandbox(ctx, Request{Name: "alpha"})
	}
}
