package lifecycle

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"sandkeeper/internal/tracing"
)

// attributes are how every span names the sandbox that it is about.
func attributes(sandbox Reference) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("openshell.sandbox.id", sandbox.ID),
		attribute.String("openshell.sandbox.name", sandbox.Name),
		attribute.String("openshell.gateway", sandbox.Gateway),
	}
}

type correlationKey struct{}

// correlated begins an operation: its events carry the id of the trace that it began in, which is stored with the
// intent, so that a process that finishes it writes events of the same id.
func (o *operation) correlated(ctx context.Context) context.Context {
	o.entry.Correlation = tracing.ID(ctx)
	return context.WithValue(ctx, correlationKey{}, o.entry.Correlation)
}

// resumed goes on with an operation that another process began, under the id of its events.
func (o *operation) resumed(ctx context.Context) context.Context {
	if o.entry.Correlation == "" || o.entry.Status == StatusReady && len(o.entry.Owed) == 0 {
		return ctx
	}
	return context.WithValue(ctx, correlationKey{}, o.entry.Correlation)
}

// correlation is the id that ties an event to the operation at hand, or else to the trace.
func correlation(ctx context.Context) string {
	if id, ok := ctx.Value(correlationKey{}).(string); ok {
		return id
	}
	return tracing.ID(ctx)
}
