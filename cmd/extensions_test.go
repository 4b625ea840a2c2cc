package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReconcileWithoutExtensionsMakesNothing(t *testing.T) {
	h := newHost(t)
	if out := h.mustRun("extensions", "reconcile"); !strings.Contains(out, "No extension is active and none keeps any state") {
		t.Errorf("stdout = %q", out)
	}
	if left, _ := os.ReadDir(h.home); len(left) > 0 {
		t.Errorf("the home now holds %v", left)
	}
}

// A host whose versions cannot be shown to agree is not asked about its sandboxes.
func TestReconcileStopsAtThePreflight(t *testing.T) {
	h := newHost(t)
	h.write(t, ".config/sandkeeper/config.toml", "[compute]\nextensions = [\"fleet-labels\"]\n[compute.extension.\"fleet-labels\"]\nlabels = { fleet = \"prod\" }\n")
	code, out, _ := h.run("extensions", "reconcile", "--json")
	if code != ExitUnreachable || !strings.Contains(out, `"kind": "unverified"`) {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestExtensionsListSaysWhatIsActiveInOrder(t *testing.T) {
	h := newHost(t)
	h.write(t, ".config/sandkeeper/config.toml", "[compute]\nextensions = [\"fleet-labels\"]\n[compute.extension.\"fleet-labels\"]\nlabels = { fleet = \"prod\" }\ntimeout = \"45s\"\n")
	out := h.mustRun("extensions", "list")
	for _, want := range []string{"1      fleet-labels       yes     45s", "-      workload-identity  no"} {
		if !strings.Contains(out, want) {
			t.Errorf("no line %q in:\n%s", want, out)
		}
	}
}

func TestExtensionsStateOfNothing(t *testing.T) {
	h := newHost(t)
	if out := h.mustRun("extensions", "state"); !strings.Contains(out, "No extension keeps any state.") {
		t.Errorf("stdout = %q", out)
	}
	for _, verb := range []string{"show", "clear"} {
		if code, _, _ := h.run("extensions", "state", verb, "alpha", "fleet-labels"); code != ExitNotFound {
			t.Errorf("state %s: exit %d, want %d", verb, code, ExitNotFound)
		}
	}
	if left, _ := os.ReadDir(h.home); len(left) > 0 {
		t.Errorf("looking made %v", left)
	}
	metrics := filepath.Join(t.TempDir(), "extensions.prom")
	h.mustRun("extensions", "state", "--metrics", metrics)
	if content, err := os.ReadFile(metrics); err != nil || !strings.Contains(string(content), "sandkeeper_extension_states gauge") {
		t.Errorf("--metrics: %q, %v", content, err)
	}
}

// write puts a file into the host's home.
func (h *madeUpHost) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(h.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A mistake in [compute] stops what creates or deletes sandboxes, and nothing else: least of all a backup.
func TestAnUnknownExtensionStopsOnlyWhatCreatesOrDeletes(t *testing.T) {
	h := newHost(t)
	h.write(t, ".config/sandkeeper/config.toml", "[compute]\nextensions = [\"nowhere\", \"fleet-labels\"]\n[compute.extension.\"fleet-labels\"]\nlabels = { fleet = \"prod\" }\n"+
		"[compute.extension.nowhere]\nkey = 1\n")
	known := `config.toml:2: extension "nowhere" is not linked into this build; known: exec-hooks, fleet-labels, workload-identity`
	for _, args := range [][]string{{"upgrade-sandboxes"}, {"upgrade-sandboxes", "--resume"}, {"restore", "alpha", "--recreate"}, {"migrate", "import"}, {"extensions", "reconcile"}} {
		code, out, stderr := h.run(args...)
		if code != ExitUsage || out != "" || !strings.Contains(stderr, known) || !strings.Contains(stderr, "OPENSHELL_COMPUTE_EXTENSIONS=") {
			t.Errorf("%q: exit %d\n%s\n%s", args, code, out, stderr)
		}
	}
	h.answer = "unrelated text\n"
	for _, line := range []string{
		"extensions list", "extensions state", "diagnose -", "backup-all --offline", "backup-all --dry-run --offline", "backups list",
		"preflight", "upgrade-sandboxes --check", "restore alpha --dry-run",
	} {
		code, _, stderr := h.run(strings.Fields(line)...)
		if code == ExitUsage || strings.Count(stderr, known) != 1 || !strings.Contains(stderr, "warning: ") {
			t.Errorf("%s: exit %d\n%s", line, code, stderr)
		}
	}
	if out := h.mustRun("extensions", "list"); !strings.Contains(out, "1      fleet-labels       yes") {
		t.Errorf("the extension without a mistake is not shown:\n%s", out)
	}
}

// The variable is the way out where the file cannot be corrected: it switches all extensions off, with their tables.
func TestAnEmptyOverrideOpensTheWay(t *testing.T) {
	h := newHost(t)
	h.write(t, ".config/sandkeeper/config.toml", "[compute]\nextensions = [\"nowhere\"]\n[compute.extension.nowhere]\nkey = 1\n")
	environ := []string{"OPENSHELL_COMPUTE_EXTENSIONS=", "XDG_CONFIG_HOME=" + filepath.Join(h.home, ".config")}
	for _, line := range []string{"extensions list", "upgrade-sandboxes"} {
		if code, out, stderr := invoke(t, environ, strings.Fields(line)...); code == ExitUsage || strings.Contains(out+stderr, "nowhere") {
			t.Errorf("%s: exit %d\n%s\n%s", line, code, out, stderr)
		}
	}
}
