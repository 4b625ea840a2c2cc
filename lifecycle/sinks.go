package lifecycle

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/trace"
)

// Sinks are where a build sends what its commands and extensions tell, beside or in place of what the operator's
// environment names.
type Sinks struct {
	// Tracer starts every span, in place of the exporter that OTEL_EXPORTER_OTLP_ENDPOINT asks for. If it has a
	// ForceFlush, as that of OpenTelemetry's SDK has, that is called at the end of the command. nil leaves the
	// environment's.
	Tracer trace.TracerProvider
	// Audit takes every event, beside the audit file. nil: only the file does.
	Audit Sink
}

// DefineSinks makes a Definition that links sinks in. It is always active, and no name that [compute] extensions could
// list: name only tells it from other definitions.
func DefineSinks(name string, sinks Sinks) Definition {
	return Definition{Name: name, sinks: &sinks}
}

// SinksOf are the sinks that definitions link in: the first tracer, and all sinks of events as one.
func SinksOf(definitions []Definition) Sinks {
	var found Sinks
	var audits sinkList
	for _, d := range definitions {
		if d.sinks == nil {
			continue
		}
		if found.Tracer == nil {
			found.Tracer = d.sinks.Tracer
		}
		if d.sinks.Audit != nil {
			audits = append(audits, d.sinks.Audit)
		}
	}

	if len(audits) > 0 {
		found.Audit = audits
	}
	return found
}

// JoinSinks is one sink for several; those that are nil are left out. An event goes to all of them, also when one
// fails.
func JoinSinks(sinks ...Sink) Sink {
	var all sinkList
	for _, s := range sinks {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

// sinkList hands each event to every sink.
type sinkList []Sink

// Write hands the event on, and joins what failed.
func (l sinkList) Write(ctx context.Context, event Event) error {
	var errs []error
	for _, s := range l {
		errs = append(errs, s.Write(ctx, event))
	}
	return errors.Join(errs...)
}
