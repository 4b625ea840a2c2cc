package lifecycle

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// recording is a context with a span of a tracer that keeps what ends.
func recording(t *testing.T) (context.Context, trace.Span, *tracetest.InMemoryExporter) {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	ctx, root := sdk.NewTracerProvider(sdk.WithSyncer(kept)).Tracer("test").Start(t.Context(), "upgrade")
	return ctx, root, kept
}

func TestSpansReachTheExtensionAndBack(t *testing.T) {
	ctx, root, kept := recording(t)
	b := newBench(t, "a")
	b.ext["a"].on[BeforeCreate] = func(ctx context.Context, _ Sandbox, _ *Builder) (*State, error) {
		span := trace.SpanFromContext(ctx)
		_, inner := span.TracerProvider().Tracer("lease").Start(ctx, "acquire")
		inner.End()
		span.SetAttributes(attribute.String("own", "yes"))
		return nil, errDenied
	}
	if _, err := b.driver.CreateSandbox(ctx, Request{ID: "id-1", Name: "alpha", Gateway: "gw"}); err == nil {
		t.Fatal("no error")
	}
	root.End()
	spans := kept.GetSpans()
	names := []string{}
	for _, s := range spans {
		names = append(names, s.Name)
		same(t, "trace", s.SpanContext.TraceID(), root.SpanContext().TraceID())
	}
	same(t, "spans", names, []string{"acquire", "before_create a", "create_sandbox", "upgrade"})
	for i, s := range spans[:3] {
		same(t, "parent of "+s.Name, s.Parent.SpanID(), spans[i+1].SpanContext.SpanID())
	}
	same(t, "attributes", attributesOf(spans[1]), map[string]string{
		"openshell.sandbox.id": "id-1", "openshell.sandbox.name": "alpha", "openshell.gateway": "gw", "sandkeeper.extension": "a", "own": "yes",
	})
	for i, want := range []codes.Code{codes.Unset, codes.Error, codes.Error, codes.Unset} {
		same(t, "status of "+spans[i].Name, spans[i].Status.Code, want)
	}
	for _, e := range b.sink.events {
		same(t, "correlation of "+e.Message, e.Correlation, root.SpanContext().TraceID().String())
	}
}

func attributesOf(s tracetest.SpanStub) map[string]string {
	found := map[string]string{}
	for _, a := range s.Attributes {
		found[string(a.Key)] = a.Value.AsString()
	}
	return found
}

func TestACreationAndItsResultAreTiedWithoutATracer(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	b.mustCreate(t, "beta")
	ids := map[string]map[string]bool{}
	for _, e := range b.sink.events {
		if ids[e.Sandbox.Name] == nil {
			ids[e.Sandbox.Name] = map[string]bool{}
		}
		ids[e.Sandbox.Name][e.Correlation] = true
	}
	same(t, "events", len(b.sink.events), 4)
	same(t, "ids of alpha", len(ids["alpha"]), 1)
	same(t, "ids of beta", len(ids["beta"]), 1)
	for id := range ids["alpha"] {
		same(t, "length of "+id, len(id), 32)
		same(t, "shared", ids["beta"][id], false)
	}
}

func TestAnotherProcessFinishesUnderTheSameCorrelation(t *testing.T) {
	for _, created := range []bool{true, false} {
		b := newBench(t, "a")
		driver := b.Wrap(closing{b.memory, b.store}) // the store is taken away as by the death of the process
		if _, err := driver.CreateSandbox(t.Context(), Request{Name: "alpha", Gateway: "gw"}); err == nil {
			t.Fatal("no error")
		}
		began := b.sink.events[0]
		if !created {
			b.memory.sandboxes = map[string]Record{}
		}
		b.sink.events = nil
		b.Chain = nil
		b.open(t, "a")
		b.reconcile(t)
		if len(b.sink.events) == 0 || b.sink.events[0].Activity != ActivityInstall {
			t.Fatalf("created %v: events %+v", created, b.sink.events)
		}
		same(t, "correlation", b.sink.events[0].Correlation, began.Correlation)
	}
}
