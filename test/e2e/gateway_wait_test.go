package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// readiness is what `gateway wait --json` says.
type readiness struct {
	ExitCode int
	Result   struct {
		Ready                           bool
		State, Version, Reason, LogPath string
		PID                             int
		Log                             []string
	}
}

func (h *host) wait(args ...string) readiness {
	h.t.Helper()
	p := h.text(append([]string{"gateway", "wait", "--json"}, args...)...)
	var r readiness
	if err := json.Unmarshal([]byte(p.stdout), &r); err != nil {
		h.t.Fatalf("%v\n%s%s", err, p.stdout, p.stderr)
	}
	return r
}

func TestGatewayWaitOnARealProcess(t *testing.T) {
	h := newHost(t, "0.0.44")
	h.installGateway("0.0.44")
	gw, err := h.StartGateway(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gw.Process.Kill(); _ = gw.Wait() })
	r := h.wait("--timeout", "2m", "--settle", "1s")
	if r.ExitCode != 0 || !r.Result.Ready || r.Result.Version != "0.0.44" || r.Result.PID != gw.Process.Pid {
		t.Fatalf("a live gateway: %+v", r)
	}
	log := filepath.Join(filepath.Dir(h.Marker()), "openshell-gateway.log")
	if err := os.WriteFile(log, []byte("starting\nError: migration 6 was previously applied but is missing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := len(h.calls())
	go func() {
		_, _ = waitFor(time.Minute, func() bool { return len(h.calls()) > before+2 }) // it is being asked: its process was found
		_ = gw.Process.Kill()                                                         // the openshell command line goes on saying that it is connected
	}()
	start := time.Now()
	r = h.wait("--timeout", "5m", "--settle", "4m")
	if r.ExitCode != 5 || r.Result.Ready || r.Result.State != "exited" || r.Result.LogPath != log || !strings.Contains(strings.Join(r.Result.Log, "\n"), "migration 6") {
		t.Errorf("a gateway that was killed: %+v", r)
	}
	if took := time.Since(start); took > 2*time.Minute {
		t.Errorf("noticed after %s only", took)
	}
}
