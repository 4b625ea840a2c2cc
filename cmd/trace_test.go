package cmd

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"sandkeeper/lifecycle"
)

// collectorStandIn takes traces over OTLP/HTTP as a collector does, and keeps the spans.
type collectorStandIn struct {
	*httptest.Server
	mu      sync.Mutex
	service string
	spans   []*traces.Span
	faults  []error
}

func newCollector(t *testing.T) *collectorStandIn {
	t.Helper()
	c := &collectorStandIn{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := c.take(r); err != nil {
			c.faults = append(c.faults, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collectorStandIn) take(r *http.Request) error {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		return errors.New(r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var request collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		return err
	}
	for _, of := range request.GetResourceSpans() {
		for _, a := range of.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				c.service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range of.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	return nil
}

// named returns the one span of that name.
func (c *collectorStandIn) named(t *testing.T, name string) *traces.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var found *traces.Span
	for _, s := range c.spans {
		if s.GetName() == name {
			if found != nil {
				t.Fatalf("two spans %q", name)
			}
			found = s
		}
	}
	if found == nil {
		t.Fatalf("no span %q among %v; faults %v", name, c.spans, c.faults)
	}
	return found
}

func TestACommandIsOneTraceAtTheCollector(t *testing.T) {
	c := newCollector(t)
	code, _, stderr := invoke(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL}, "preflight")
	root, below := c.named(t, "sandkeeper preflight"), c.named(t, "preflight")
	if code != ExitRefused || strings.Contains(stderr, "trace") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	if hex.EncodeToString(below.GetTraceId()) != hex.EncodeToString(root.GetTraceId()) || string(below.GetParentSpanId()) != string(root.GetSpanId()) {
		t.Errorf("%v is not below %v", below, root)
	}
	if len(root.GetParentSpanId()) != 0 || root.GetStatus().GetCode() != traces.Status_STATUS_CODE_ERROR {
		t.Errorf("root %v", root)
	}
	if exit := intOf(root, "process.exit.code"); exit != int64(ExitRefused) || c.service != "sandkeeper" {
		t.Errorf("exit code %d, service %q", exit, c.service)
	}
}

func intOf(s *traces.Span, key string) int64 {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetIntValue()
		}
	}
	return -1
}

func TestACollectorDecidesOverNothing(t *testing.T) {
	hang := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer silent.Close()
	defer close(hang)
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	for _, endpoint := range []string{silent.URL, refusing.URL, "http://127.0.0.1:1"} {
		code, out, stderr := invoke(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint}, "extensions", "list")
		if code != ExitOK || !strings.Contains(out, "fleet-labels") || strings.Count(stderr, "warning: the trace of this command was not sent") != 1 {
			t.Errorf("%s: exit %d\n%s\n%s", endpoint, code, out, stderr)
		}
	}
}

func TestVariablesThatCannotBeFollowedAreNamed(t *testing.T) {
	c := newCollector(t)
	for entry, want := range map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc":                "OTEL_EXPORTER_OTLP_PROTOCOL",
		"OTEL_TRACES_EXPORTER=console":                    "OTEL_TRACES_EXPORTER",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=collector:43": "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"OTEL_TRACES_EXPORTER=none":                       "",
		"OTEL_SDK_DISABLED=true":                          "",
	} {
		code, _, stderr := invoke(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, entry}, "extensions", "list")
		if code != ExitOK || !strings.Contains(stderr, want) || want == "" && stderr != "" || len(c.spans) > 0 {
			t.Errorf("%s: exit %d, %d spans\n%s", entry, code, len(c.spans), stderr)
		}
	}
}

// flushing is a provider of a downstream that never gets rid of its spans.
type flushing struct{ *sdk.TracerProvider }

func (flushing) ForceFlush(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestADownstreamGetsTheSpansThroughWhatItLinks(t *testing.T) {
	kept := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(kept))
	code, _, _ := downstream(t, "", []lifecycle.Definition{lifecycle.DefineSinks("fleet", lifecycle.Sinks{Tracer: provider})}, "extensions", "list")
	if spans := kept.GetSpans(); code != ExitOK || len(spans) != 1 || spans[0].Name != "sandkeeper extensions list" {
		t.Errorf("exit %d, spans %+v", code, spans)
	}
}

func TestFlushingIsBounded(t *testing.T) {
	_, stop := signal.NotifyContext(t.Context(), syscall.SIGHUP) // the first one starts a goroutine that never ends: not in the bubble
	stop()
	synctest.Test(t, func(t *testing.T) {
		linked := lifecycle.DefineSinks("fleet", lifecycle.Sinks{Tracer: flushing{sdk.NewTracerProvider()}})
		code, _, stderr := downstream(t, "", []lifecycle.Definition{linked}, "extensions", "list")
		if code != ExitOK || !strings.Contains(stderr, "the trace of this command was not sent: not done within 2s") {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
}
