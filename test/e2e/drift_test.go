package e2e

import (
	"os"
	"strings"
	"testing"

	"sandkeeper/test/standin/openshell"
)

// TestDrift is the preflight's verdict on hosts as operators find them. Every host has openshell and a registry row.
func TestDrift(t *testing.T) {
	for name, c := range map[string]struct {
		cli     string
		prepare func(t *testing.T, h *host)
		docker  bool

		verdict, kind, source, running string
		exit                           int
	}{
		"host process with live marker agrees": {cli: "0.0.37", prepare: func(_ *testing.T, h *host) {
			h.installGateway("0.0.37")
			h.startGateway()
		}, verdict: "pass"},
		"host process with live marker is older": {cli: "0.0.44", prepare: func(_ *testing.T, h *host) {
			h.installGateway("0.0.43")
			h.startGateway()
		}, verdict: "refuse", kind: "host_process_drift", source: "process", running: "0.0.43", exit: 1},
		"in-place upgrade with the old process still running": {cli: "0.0.37", prepare: func(_ *testing.T, h *host) {
			h.installGateway("0.0.36")
			h.startGateway()
			h.installGateway("0.0.37")
		}, verdict: "refuse", kind: "host_process_drift", source: "process", running: "0.0.36", exit: 1},
		"deleted executable of the same version": {cli: "0.0.37", prepare: func(t *testing.T, h *host) {
			h.installGateway("0.0.37")
			h.startGateway()
			if err := os.Remove(h.GatewayBinary()); err != nil {
				t.Fatal(err)
			}
		}, verdict: "pass"},
		"marker-less, nothing runs, file is older": {cli: "0.0.44", prepare: func(_ *testing.T, h *host) {
			h.installGateway("0.0.43")
			h.Script.Gateways[0].Down = true
		}, verdict: "refuse", kind: "host_process_drift", source: "file", running: "0.0.43", exit: 1},
		"stale marker with an agreeing sibling": {cli: "0.0.44", prepare: func(_ *testing.T, h *host) {
			h.installGateway("0.0.44")
			h.mark(1 << 22) // above any kernel's pid_max default: no such process
		}, verdict: "pass"},
		"served version differs": {cli: "0.0.44", prepare: func(_ *testing.T, h *host) {
			h.Script.Gateways[0].Version = "0.0.43"
		}, verdict: "refuse", kind: "served_version_drift", running: "0.0.43", exit: 1},
		"cluster container of a wrong version": {cli: "0.0.37", docker: true, prepare: func(t *testing.T, h *host) {
			h.Script.Gateways[0].Version = ""
			newEngine(t).cluster(h, "openshell/cluster", "0.0.36", h.Port)
		}, verdict: "refuse", kind: "image_drift", running: "0.0.36", exit: 1},
		"patched stale image": {cli: "0.0.37", docker: true, prepare: func(t *testing.T, h *host) {
			newEngine(t).cluster(h, "nemoclaw-cluster", "0.0.36-fuse-overlayfs-aa8b8487", h.Port)
		}, verdict: "refuse", kind: "image_drift", running: "0.0.36", exit: 1},
		"image newer than the command line": {cli: "0.0.36", docker: true, prepare: func(t *testing.T, h *host) {
			newEngine(t).cluster(h, "openshell/cluster", "0.0.37", h.Port)
		}, verdict: "refuse", kind: "image_drift", running: "0.0.37", exit: 1},
		"active cluster agrees": {cli: "0.0.36", docker: true, prepare: func(t *testing.T, h *host) {
			newEngine(t).cluster(h, "openshell/cluster", "0.0.36", h.Port)
		}, verdict: "pass"},
		"leftover stopped cluster is no evidence": {cli: "0.0.37", docker: true, prepare: func(t *testing.T, h *host) {
			e := newEngine(t)
			leftover := e.cluster(h, "openshell/cluster", "0.0.36", h.Port)
			e.stop(leftover)
			h.installGateway("0.0.37")
			h.startGateway()
		}, verdict: "pass"},
		"leftover stopped cluster hides nothing": {cli: "0.0.37", docker: true, prepare: func(t *testing.T, h *host) {
			e := newEngine(t)
			leftover := e.cluster(h, "openshell/cluster", "0.0.37", h.Port)
			e.stop(leftover)
			h.installGateway("0.0.36")
			h.startGateway()
		}, verdict: "refuse", kind: "host_process_drift", source: "process", running: "0.0.36", exit: 1},
		"cluster on another port is no evidence": {cli: "0.0.37", docker: true, prepare: func(t *testing.T, h *host) {
			newEngine(t).cluster(h, "openshell/cluster", "0.0.36", freePort(t))
			h.installGateway("0.0.37")
			h.startGateway()
		}, verdict: "pass"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, c.cli)
			h.register("alpha")
			c.prepare(t, h)
			got := h.sandkeeper("preflight")
			if got.Preflight == nil {
				t.Fatalf("the document has no preflight: %+v", got)
			}
			if got.ExitCode != c.exit || got.Preflight.Verdict != c.verdict {
				t.Errorf("verdict %q, exit %d; want %q, %d", got.Preflight.Verdict, got.ExitCode, c.verdict, c.exit)
			}
			if h.called("sandbox") {
				t.Errorf("preflight asked for sandbox state: %q", h.calls())
			}
			if c.kind == "" {
				return
			}
			issue := got.Preflight.Issue
			if issue == nil || issue.Kind != c.kind || issue.Source != c.source || issue.Running != c.running || issue.Installed != c.cli {
				t.Errorf("issue %+v; want %s %s, %s running, %s installed", issue, c.kind, c.source, c.running, c.cli)
			}
			refuses(t, h, c.kind)
		})
	}
}

// refuses holds that both commands refuse before any state call, with the marker phrases that scripts look for.
func refuses(t *testing.T, h *host, kind string) {
	t.Helper()
	line := map[string]string{
		"image_drift": "Running gateway image: ", "host_process_drift": "Running gateway binary: ", "served_version_drift": "Running gateway: ",
	}[kind]
	for action, args := range map[string][]string{
		"backing up registered sandboxes": {"backup-all"}, "checking sandbox upgrade state": {"upgrade-sandboxes", "--check"},
	} {
		p := h.text(args...)
		if p.exit != 1 {
			t.Errorf("%q exits %d, want 1", args, p.exit)
		}
		for _, phrase := range []string{
			"OpenShell gateway schema preflight failed before " + action + ".", "Installed OpenShell: " + h.Script.Version, line,
			"Refusing to trust OpenShell sandbox state", "No sandbox data was changed.", "Recovery:",
		} {
			if !strings.Contains(p.stderr, phrase) {
				t.Errorf("%q: stderr lacks %q:\n%s", args, phrase, p.stderr)
			}
		}
		said := strings.ReplaceAll(p.stderr, h.Home, "~")
		if kind == "host_process_drift" && (strings.Contains(said, "image") || strings.Contains(said, "cluster")) {
			t.Errorf("%q speaks of images or clusters where a process drifted:\n%s", args, p.stderr)
		}
	}
	if h.called("sandbox") {
		t.Errorf("sandbox state was asked for: %q", h.calls())
	}
}

// TestMismatch is a gateway that nothing can be known about, whose answers cannot be decoded.
func TestMismatch(t *testing.T) {
	h := newHost(t, "0.0.37")
	h.register("alpha")
	h.Script.Gateways[0].Status, h.Script.Gateways[0].Detail = "error", "no answer"
	const said = `Error: status: Internal, message: "failed to decode Protobuf message: Sandbox.metadata: ListSandboxesResponse.sandboxes: delimited length exceeded", details: [], metadata: MetadataMap { headers: {} }`
	h.Script.Answers = []openshell.Answer{{Args: []string{"sandbox"}, Stderr: said + "\n", Exit: 1}}
	got := h.sandkeeper("backup-all")
	if got.ExitCode != 1 || got.Error == nil || got.Error.Kind != "protobuf_mismatch" {
		t.Fatalf("exit %d, error %+v", got.ExitCode, got.Error)
	}
	p := h.text("backup-all")
	for _, phrase := range []string{
		"OpenShell gateway/schema mismatch was detected while backing up registered sandboxes.", "OpenShell output: ",
		"delimited length exceeded", "No sandbox data was changed.",
	} {
		if !strings.Contains(p.stderr, phrase) {
			t.Errorf("stderr lacks %q:\n%s", phrase, p.stderr)
		}
	}
}
