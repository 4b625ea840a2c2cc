// Package tracing answers which trace the work at hand belongs to. Spans are OpenTelemetry's and travel in the context:
// a child is started through the provider that made its parent, so that no package needs a tracer handed in and none is
// global.
package tracing

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// scope names what starts these spans.
const scope = "sandkeeper"

// Identified returns a context that is part of a trace: ctx itself where it is, else one with a new trace id. Nothing
// is recorded under such an id; it ties events together where no spans are wanted.
func Identified(ctx context.Context) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	var config trace.SpanContextConfig
	_, _ = rand.Read(config.TraceID[:]) // never fails: crypto/rand ends the program instead
	_, _ = rand.Read(config.SpanID[:])
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(config))
}

// ID is the id of the trace that ctx is part of, 32 hexadecimal digits; "" when it is part of none.
func ID(ctx context.Context) string {
	span := trace.SpanContextFromContext(ctx)
	if !span.HasTraceID() {
		return ""
	}
	return span.TraceID().String()
}

// Start begins a span below the one of ctx, and returns a context that carries it.
func Start(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer(scope)
	return tracer.Start(ctx, name, trace.WithAttributes(attributes...))
}

// End ends a span; err is nil when the work went well, else it becomes the span's status.
func End(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
