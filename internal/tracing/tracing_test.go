package tracing

import (
	"errors"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestAnIdentityIsGivenOnceAndKept(t *testing.T) {
	if got := ID(t.Context()); got != "" {
		t.Errorf("id %q before there is one", got)
	}
	ctx := Identified(t.Context())
	if len(ID(ctx)) != 32 {
		t.Errorf("id %q", ID(ctx))
	}
	if again := Identified(ctx); ID(again) != ID(ctx) {
		t.Errorf("id %q became %q", ID(ctx), ID(again))
	}
	if other := Identified(t.Context()); ID(other) == ID(ctx) {
		t.Error("two traces have one id")
	}
	below, span := Start(ctx, "work")
	End(span, nil)
	if ID(below) != ID(ctx) {
		t.Errorf("a span below has the trace %q, want %q", ID(below), ID(ctx))
	}
}

func TestSpansBelongToTheProviderOfTheirParent(t *testing.T) {
	kept := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(kept))
	ctx, root := provider.Tracer("test").Start(t.Context(), "root")
	_, span := Start(ctx, "child")
	End(span, errors.New("it broke"))
	End(root, nil)
	spans := kept.GetSpans()
	if len(spans) != 2 {
		t.Fatalf("spans %v", spans)
	}
	child, parent := spans[0], spans[1]
	if child.Parent.SpanID() != parent.SpanContext.SpanID() || child.Status.Code != codes.Error || child.Status.Description != "it broke" {
		t.Errorf("child %+v of %+v", child, parent)
	}
	if parent.Status.Code != codes.Unset {
		t.Errorf("parent has status %v", parent.Status)
	}
}
