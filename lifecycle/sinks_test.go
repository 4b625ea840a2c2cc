package lifecycle

import (
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"
)

func TestSinksComeWithTheRegistryAndAreNoExtensions(t *testing.T) {
	first, second := &sink{}, &sink{}
	provider := noop.NewTracerProvider()
	registry, err := NewRegistry(
		DefineSinks("one", Sinks{Audit: first}), DefineSinks("two", Sinks{Audit: second, Tracer: provider}),
		Define("real", "", nil, func(struct{}) (Extension, error) { return nil, nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "extensions", registry.Names(), []string{"real"})
	if registry.Sinks().Tracer != provider {
		t.Error("the tracer is lost")
	}
	if err := registry.Sinks().Audit.Write(t.Context(), Event{Message: "m"}); err != nil {
		t.Fatal(err)
	}
	same(t, "events", []int{len(first.events), len(second.events)}, []int{1, 1})
	if _, err := Configure(registry, Source{Override: "one", Overridden: true}); err == nil || !strings.Contains(err.Error(), `"one" is not linked`) {
		t.Errorf("sinks as an extension: %v", err)
	}
	if _, err := NewRegistry(DefineSinks("one", Sinks{}), DefineSinks("one", Sinks{})); err == nil {
		t.Error("a name was linked twice")
	}
}

func TestAnEventReachesEverySinkAlsoWhenOneFails(t *testing.T) {
	whole := &sink{}
	err := JoinSinks(nil, brokenSink{}, whole).Write(t.Context(), Event{})
	if !errors.Is(err, errDenied) || len(whole.events) != 1 {
		t.Errorf("error %v, %d events", err, len(whole.events))
	}
}
