package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandkeeper/test/e2e/gateway"
)

// TestPlanOfATrueHost: what its gateway tells of a sandbox is in the plan, and nothing but the proposed configuration is written.
func TestPlanOfATrueHost(t *testing.T) {
	h := newMigrationHost(t)
	p := h.ends(0, "migrate", "plan")
	for _, want := range []string{
		"its sandboxes are to be exported while it still runs", "everything below /app", "team2/gamma (running)", "byoc (stopped)",
		"the variables TOKEN", "attached: hub", "the policy in force", "enter again: GITHUB_TOKEN", "sandkeeper migrate export -g openshell",
	} {
		if !strings.Contains(p.stdout, want) {
			t.Errorf("the plan does not say %q:\n%s", want, p.stdout)
		}
	}
	if _, err := os.Stat(h.root); !os.IsNotExist(err) {
		t.Errorf("the store was made: %v", err)
	}
}

// TestExportSavesThenStops: saved and read back first, stopped through the gateway, saved again; what an earlier run has stopped is known
// to have run.
func TestExportSavesThenStops(t *testing.T) {
	h := newMigrationHost(t)
	p := h.ends(0, "migrate", "export", "--yes")
	if !strings.Contains(p.stdout, "Migration export: 3 exported, 0 failed") || !strings.Contains(p.stdout, "enter again on the new gateway: provider hub (github): GITHUB_TOKEN") {
		t.Errorf("it says:\n%s", p.stdout)
	}
	for address, s := range h.old {
		if now := h.now(address); now.Phase != gateway.Stopped || now.ID != s.ID {
			t.Errorf("%s is %s in its gateway", address, now.Phase)
		}
	}
	h.exported()
	if order := strings.Join(strings.Split(strings.TrimSpace(p.stderr), "\n"), "|"); strings.Index(order, "team2/gamma: saving|") > strings.Index(order, "alpha: stopping") {
		t.Errorf("stopped before all was saved: %s", order)
	}
	h.ends(0, "migrate", "export", "--yes")
	h.exported()
	if p := h.ends(0, "migrate", "plan"); !strings.Contains(p.stdout, "a set is exported") {
		t.Errorf("the plan after the export:\n%s", p.stdout)
	}
	if files, err := filepath.Glob(filepath.Join(h.root, "_migration/openshell/*")); err != nil || len(files) < 2 {
		t.Errorf("beside the set: %q, %v", files, err)
	}
}

// TestExportKilledAtEveryStep: whatever a killed run has done, the next one makes the set whole, with the phases from before the first.
func TestExportKilledAtEveryStep(t *testing.T) {
	h := newMigrationHost(t)
	steps := []string{
		"alpha: saving", "team2/gamma: saving", "alpha: stopping", "alpha: saving what it wrote until it stopped", "byoc: saving what it wrote until it stopped",
		"team2/gamma: stopping", "team2/gamma: saving what it wrote until it stopped",
	}
	for _, step := range steps {
		for _, wait := range []time.Duration{0, 300 * time.Millisecond} {
			run := launch(t, h.env, "migrate", "export", "--yes", "--backup-dir", h.root)
			if !run.reach(step) && !strings.Contains(step, "stopping") { // what is stopped is not stopped again
				t.Fatalf("%s: it ended before: %s", step, run.text())
			}
			time.Sleep(wait)
			run.signal(syscall.SIGKILL)
			run.end()
		}
	}
	h.ends(0, "migrate", "export", "--yes")
	h.exported()
}
