package e2e

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans is a collector that keeps what it is sent over OTLP/HTTP, by the name of the span.
type spans struct {
	*httptest.Server
	mu    sync.Mutex
	found map[string]*traces.Span
}

func newSpans(t *testing.T) *spans {
	t.Helper()
	s := &spans{found: map[string]*traces.Span{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var request collector.ExportTraceServiceRequest
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			t.Errorf("%s %s: not a trace: %v", r.Method, r.URL.Path, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, of := range request.GetResourceSpans() {
			for _, scope := range of.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					s.found[span.GetName()] = span
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestAnUpgradeIsOneTrace from the command down to what an extension does, and its audit events carry the id of that trace.
func TestAnUpgradeIsOneTrace(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t, "running")
	u.activate("fleet-labels")
	s := newSpans(t)
	u.env = append(u.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+s.URL)
	u.outcome(u.upgrade(), 0, "upgraded")
	s.mu.Lock()
	defer s.mu.Unlock()
	root := s.found["sandkeeper upgrade-sandboxes"]
	if root == nil {
		t.Fatalf("there is no span of the command among %d", len(s.found))
	}
	trace := hex.EncodeToString(root.GetTraceId())
	for child, parent := range map[string]string{
		"preflight": root.GetName(), "reconcile": root.GetName(), "upgrade_sandbox": root.GetName(),
		"create_sandbox": "upgrade_sandbox", "delete_sandbox": "upgrade_sandbox", "backup_sandbox": "upgrade_sandbox",
		"before_create fleet-labels": "create_sandbox", "after_create_success fleet-labels": "create_sandbox", "before_delete fleet-labels": "delete_sandbox",
	} {
		span, above := s.found[child], s.found[parent]
		if span == nil || above == nil || !bytes.Equal(span.GetParentSpanId(), above.GetSpanId()) || hex.EncodeToString(span.GetTraceId()) != trace {
			t.Errorf("span %q is %v, want one below %q", child, span, parent)
		}
	}
	file, err := os.ReadFile(filepath.Join(u.home, ".local/state/sandkeeper/extensions-audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(file) {
		var e struct {
			Metadata struct {
				Correlation string `json:"correlation_uid"`
			}
		}
		if err := json.Unmarshal(line, &e); err != nil || e.Metadata.Correlation != trace {
			t.Errorf("event %s does not carry the trace %s: %v", line, trace, err)
		}
	}
}
