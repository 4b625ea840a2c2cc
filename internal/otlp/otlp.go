// Package otlp answers whether traces go to a collector, and takes them there: OpenTelemetry's exporter over OTLP/HTTP,
// made only when the standard variables ask for it (opentelemetry.io/docs/specs/otel/protocol/exporter).
package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"sandkeeper/internal/env"
)

// Endpoint is the URL that the environment wants traces sent to; "" when it wants none. The error says which variable
// cannot be followed.
func Endpoint(e env.Env) (string, error) {
	if strings.EqualFold(e.Get("OTEL_SDK_DISABLED"), "true") || e.Get("OTEL_TRACES_EXPORTER") == "none" {
		return "", nil
	}
	name, path := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""
	if e.Get(name) == "" {
		name, path = "OTEL_EXPORTER_OTLP_ENDPOINT", "v1/traces"
	}
	if e.Get(name) == "" {
		return "", nil
	}
	if err := spoken(e); err != nil {
		return "", err
	}
	endpoint, err := url.Parse(e.Get(name))
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return "", fmt.Errorf("%s is not an http or https URL", name)
	}
	return endpoint.JoinPath(path).String(), nil
}

// spoken refuses the protocols and exporters that are not linked in.
func spoken(e env.Env) error {
	if exporter := e.Get("OTEL_TRACES_EXPORTER"); exporter != "" && exporter != "otlp" {
		return fmt.Errorf("OTEL_TRACES_EXPORTER is %q; known: otlp, none", exporter)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := e.Get(name); protocol != "" {
			if protocol != "http/protobuf" {
				return fmt.Errorf("%s is %q; known: http/protobuf", name, protocol)
			}
			return nil
		}
	}
	return nil
}

// Exporter is a tracer provider whose spans go to a collector.
type Exporter struct {
	*sdk.TracerProvider
	sent *sending
}

// New makes an exporter to endpoint, a whole URL. Headers, certificates, compression and sampling are read by
// OpenTelemetry's own code from the process's environment. Nothing is sent yet.
func New(ctx context.Context, endpoint, version string) (*Exporter, error) {
	client, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "sandkeeper"), attribute.String("service.version", version)),
		resource.WithFromEnv(),
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, err
	}
	sent := &sending{SpanExporter: client}
	return &Exporter{TracerProvider: sdk.NewTracerProvider(sdk.WithBatcher(sent), sdk.WithResource(about)), sent: sent}, nil
}

// Close sends what is left until ctx ends, and returns the first thing that kept a span from being sent.
func (e *Exporter) Close(ctx context.Context) error {
	err := e.Shutdown(ctx)
	return errors.Join(e.sent.first(), err)
}

// sending remembers the first failure: by itself the SDK would write it to standard error in words of its own.
type sending struct {
	sdk.SpanExporter
	mu  sync.Mutex
	err error
}

// ExportSpans sends one batch; what fails is told by Close.
func (s *sending) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := s.SpanExporter.ExportSpans(ctx, spans); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			s.err = err
		}
	}
	return nil
}

func (s *sending) first() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
