package cmd

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"sandkeeper/internal/otlp"
	"sandkeeper/internal/text"
	"sandkeeper/internal/tracing"
	"sandkeeper/lifecycle"
)

// flushLimit is how long the end of a command waits for its trace to be taken.
const flushLimit = 2 * time.Second

// traced puts the command into a trace of its own, which endTrace ends. Where no tracer is wanted there is an id all
// the same. Nothing about traces decides over a command: what goes wrong is a warning.
func (a *app) traced(c *cobra.Command) context.Context {
	provider, flush := tracer(c.Context(), a.term, lifecycle.SinksOf(a.extensions.linked).Tracer)
	if provider == nil {
		return tracing.Identified(c.Context())
	}
	ctx, span := provider.Tracer("sandkeeper").Start(c.Context(), c.CommandPath())
	a.endTrace = func(code ExitCode, err error) {
		span.SetAttributes(attribute.Int("process.exit.code", int(code)))
		tracing.End(span, err)
		ctx, cancel := text.Within(context.WithoutCancel(ctx), flushLimit)
		defer cancel()
		if err := flush(ctx); err != nil {
			a.term.warn("the trace of this command was not sent: %s", strings.TrimSpace(cmp.Or(context.Cause(ctx), err).Error()))
		}
	}
	return ctx
}

// tracer is the provider that a downstream linked in, else an exporter where the environment asks for one, else nil.
func tracer(ctx context.Context, term *terminal, linked trace.TracerProvider) (trace.TracerProvider, func(context.Context) error) {
	if linked != nil {
		return linked, flusher(linked)
	}
	endpoint, err := otlp.Endpoint(term.Env)
	if err != nil {
		term.warn("no trace is sent: %v", err)
	}
	if endpoint == "" {
		return nil, nil
	}
	exporter, err := otlp.New(ctx, endpoint, version().Version)
	if err != nil {
		term.warn("no trace is sent: %v", err)
		return nil, nil
	}
	return exporter, exporter.Close
}

// flusher is how a provider that is not ours is asked to send what it holds, if it can be.
func flusher(provider trace.TracerProvider) func(context.Context) error {
	if p, ok := provider.(interface{ ForceFlush(context.Context) error }); ok {
		return p.ForceFlush
	}
	return func(context.Context) error { return nil }
}
