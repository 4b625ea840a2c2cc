package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

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

// TestMigration: exported, reinstalled, imported: homes byte for byte, policies and labels equal, what could not be carried listed by name,
// and nothing of 0.0.x removed.
func TestMigration(t *testing.T) {
	h := newMigrationHost(t)
	h.ends(0, "migrate", "export", "--yes")
	if p := h.ends(1, "migrate", "import"); !strings.Contains(p.stderr, "is OpenShell 0.0.110: a set is imported by 0.1.x") {
		t.Errorf("on the old gateway: %s", p.stderr)
	}
	h.reinstall()
	h.tell()
	if p := h.text("migrate", "import", "--backup-dir", t.TempDir()); p.exit != 10 || !strings.Contains(p.stderr, "migrate export makes one") {
		t.Errorf("without a set: exit %d: %s", p.exit, p.stderr)
	}
	h.server.Records = gateway.NewRecords() // its provider was not entered again yet
	gamma := h.container(h.old["team2/gamma"])
	h.must(h.engine.client.ContainerStart(t.Context(), gamma, container.StartOptions{}))
	if p := h.ends(1, "migrate", "import"); !strings.Contains(p.stderr, `sandbox "team2/gamma": its old container`) || len(h.sandboxes()) > 0 {
		t.Errorf("while an old one runs: %s, made %d", p.stderr, len(h.sandboxes()))
	}
	h.must(h.engine.client.ContainerStop(t.Context(), gamma, container.StopOptions{}))
	p := h.imports(3)
	for _, want := range []string{
		"lacks what sandbox \"alpha\" was made with: provider hub", "openshell provider create --name hub", "it was started again after it was exported",
		"byoc: not carried: outside-home", "Migration import: 1 imported, 0 present, 0 gone, 2 failed",
	} {
		if !strings.Contains(p.stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, p.stdout)
		}
	}
	h.server.Records = records()
	h.ends(0, "migrate", "export", "--yes") // of the old containers, by their engine
	p = h.imports(0)
	if !strings.Contains(p.stdout, "Migration import: 2 imported, 1 present, 0 gone, 0 failed") {
		t.Errorf("it says:\n%s", p.stdout)
	}
	h.migrated()
	if p = h.imports(0); !strings.Contains(p.stdout, "Migration import: 0 imported, 3 present, 0 gone, 0 failed") {
		t.Errorf("again:\n%s", p.stdout)
	}
	h.migrated()
	if _, err := h.driver.Delete(t.Context(), "byoc"); err != nil {
		t.Fatal(err)
	}
	if p = h.imports(0); !strings.Contains(p.stdout, "2 present, 1 gone, 0 failed") || h.now("byoc").ID != "" {
		t.Errorf("what somebody has deleted is made again:\n%s", p.stdout)
	}
}

// TestImportKilledAtEveryStep: nothing is made twice, and nothing is lost.
func TestImportKilledAtEveryStep(t *testing.T) {
	h := newMigrationHost(t)
	h.ends(0, "migrate", "export", "--yes")
	h.reinstall()
	for _, address := range []string{"alpha", "byoc", "team2/gamma"} {
		for _, step := range []string{"releasing", "creating", "waiting", "restoring", "starting"} {
			for _, wait := range []time.Duration{0, 400 * time.Millisecond} {
				h.tell()
				run := launch(t, h.env, "migrate", "import", "--settle", "300ms", "--backup-dir", h.root)
				if run.reach(address + ": " + step) {
					time.Sleep(wait)
				}
				run.signal(syscall.SIGKILL)
				run.end()
			}
		}
	}
	h.imports(0)
	h.migrated()
}

// TestRescueOfAHostThatWasUpgradedInPlace: 0.1.x was installed over 0.0.110 and started on its database. It does not see the old
// containers, which are the only copy: they are saved and stopped through the engine, and come back on the new gateway.
func TestRescueOfAHostThatWasUpgradedInPlace(t *testing.T) {
	h := newMigrationHost(t)
	h.kept = gateway.Beside{} // the new gateway is not asked for it
	h.replace()
	h.serve()
	h.server.Records = records()
	if p := h.ends(0, "migrate", "plan"); !strings.Contains(p.stdout, "upgraded in place") || !strings.Contains(p.stdout, "Do not run `openshell sandbox delete`") {
		t.Errorf("the plan:\n%s", p.stdout)
	}
	h.ends(0, "migrate", "export", "--yes", "-g", "openshell")
	for _, m := range h.set().Sandboxes {
		if seen, err := h.engine.client.ContainerInspect(t.Context(), m.Container); err != nil || seen.State.Running || !m.Final || m.RecipeIn == "" {
			t.Errorf("exported: %+v, %v", m, err)
		}
	}
	if p := h.imports(1); strings.Count(p.stdout, "still has the record of the old sandbox") != 3 {
		t.Errorf("on the old database:\n%s", p.stdout)
	}
	h.power.off()
	h.must(h.driver.Close())
	database := filepath.Join(h.home, ".local/state/openshell/gateway/openshell.db")
	h.must(os.Rename(database, database+".0.0.x"))
	h.serve()
	h.server.Records = records()
	h.imports(0)
	h.migrated()
}
