package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func auditLines(t *testing.T, path string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events []map[string]any
	for line := range bytes.Lines(data) {
		var event map[string]any
		if err := json.Unmarshal(line, &event); err != nil {
			continue
		}
		events = append(events, event)
	}
	return events
}

func TestAuditFileHoldsOCSFEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "audit.jsonl")
	audit, err := OpenAuditFile(path)
	if err != nil {
		t.Fatal(err)
	}
	event := Event{
		Time: time.UnixMilli(1763719200123), Activity: ActivityInstall, Severity: SeverityMedium, Failure: errors.New("denied\nhere"),
		Sandbox: Reference{"id-1", "alpha", "gw"}, Extension: "a", Message: "m", Details: map[string]string{"k": "v"}, Correlation: "t",
	}
	if err := errors.Join(audit.Write(t.Context(), event), audit.Close()); err != nil {
		t.Fatal(err)
	}
	info, _ := os.Stat(path)
	same(t, "mode", info.Mode(), os.FileMode(0o600))
	same(t, "event", auditLines(t, path), []map[string]any{{
		"activity_id": 1.0, "activity_name": "Install", "category_uid": 6.0, "category_name": "Application Activity",
		"class_uid": 6002.0, "class_name": "Application Lifecycle", "type_uid": 600201.0, "type_name": "Application Lifecycle: Install",
		"severity_id": 3.0, "severity": "Medium", "time": 1763719200123.0, "status_id": 2.0, "status": "Failure", "status_detail": "denied\nhere",
		"message": "m", "app": map[string]any{"name": "alpha", "uid": "id-1", "vendor_name": "OpenShell"},
		"metadata": map[string]any{"version": "1.8.0", "correlation_uid": "t", "product": map[string]any{"name": "sandkeeper", "vendor_name": "sandkeeper"}},
		"unmapped": map[string]any{"gateway": "gw", "extension": "a", "details": map[string]any{"k": "v"}},
	}})
}

func TestAuditFileGoesOnAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, []byte("{\"message\":\"whole\"}\n{\"mess"), 0o600); err != nil {
		t.Fatal(err)
	}
	audit, err := OpenAuditFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() { _ = audit.Write(t.Context(), Event{Message: "next"}) })
	}
	wait.Wait()
	_ = audit.Close()
	same(t, "readable events", len(auditLines(t, path)), 11)
	if err := audit.Write(t.Context(), Event{}); err == nil {
		t.Error("a write to a closed file was not reported")
	}
}

func TestAuditFileRefusesWhatOthersCanReach(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(open, nil, 0o600), os.Chmod(open, 0o644), os.Symlink(open, link)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{open: "chmod 600 " + open, link: "is a symlink", dir: "is a directory"} {
		if _, err := OpenAuditFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}

func TestEventsOfALife(t *testing.T) {
	b := newBench(t, "a")
	b.ext["a"].on[BeforeCreate] = func(ctx context.Context, _ Sandbox, _ *Builder) (*State, error) {
		Emit(ctx, SeverityInformational, "leased 10.0.0.7", map[string]string{"ip": "10.0.0.7"})
		return textState("a"), nil
	}
	b.fail("a", AfterDelete, errDenied)
	b.mustCreate(t, "alpha")
	_ = b.driver.DeleteSandbox(t.Context(), Reference{ID: "id-alpha", Name: "alpha", Gateway: "gw"})
	got := []string{}
	for _, e := range b.sink.events {
		got = append(got, e.activityName()+": "+e.Extension+" "+e.Message)
		same(t, "sandbox", e.Sandbox.Name, "alpha")
	}
	same(t, "events", got, []string{
		"create:  sandbox creation began", "before_create: a leased 10.0.0.7", "Install:  sandbox created",
		"delete:  sandbox deletion began", "Remove:  sandbox deleted",
		"after_delete: a lifecycle extension failed",
	})
}

type brokenSink struct{}

func (brokenSink) Write(context.Context, Event) error { return errDenied }

func TestABrokenAuditIsSaidAndDecidesNothing(t *testing.T) {
	b := newBench(t, "a")
	var warned error
	b.audit, b.warn = brokenSink{}, func(err error) { warned = err }
	b.mustCreate(t, "alpha")
	if !errors.Is(warned, errDenied) {
		t.Errorf("warned of %v", warned)
	}
}

func TestEmitOutsideAPhaseDoesNothing(t *testing.T) {
	Emit(t.Context(), SeverityHigh, "nobody listens", nil)
}
