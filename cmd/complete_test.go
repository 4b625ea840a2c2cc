package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Completion offers values as well as names, and where it cannot know it offers nothing and says nothing that is not an answer.
func TestCompletionOffersValues(t *testing.T) {
	h := newHost(t)
	h.sandbox("alpha", "exited", "first")
	h.sandbox("beta", "exited", "first")
	h.mustRun("backup-all", "--offline", "-q")
	h.sandbox("gamma", "exited", "not saved")
	writeFile(t, filepath.Join(h.home, ".config/openshell/gateways/edge/metadata.json"), "{}")
	const noFiles, files = ":4\n", ":0\n"
	for _, tc := range []struct{ line, want string }{
		{"restore ", "alpha\nbeta\n" + noFiles},
		{"backups list ", "alpha\nbeta\n" + noFiles},
		{"restore alpha ", noFiles},
		{"restore --backup-dir " + filepath.Join(h.home, "elsewhere") + " ", noFiles},
		{"restore alpha --backup ", "ID\t0s  SIZE\n" + noFiles},
		{"backups show alpha ", "ID\t0s  SIZE\n" + noFiles},
		{"backups verify ", "alpha\nbeta\nID\t0s  SIZE\nID\t0s  SIZE\n" + noFiles},
		{"restore --scope ", "full\nstate\n" + noFiles},
		{"preflight -o ", "text\njson\n" + noFiles},
		{"preflight --color ", "auto\nalways\nnever\n" + noFiles},
		{"preflight -g ", "edge\n" + noFiles},
		{"backup-all --only ", "alpha\nbeta\n" + noFiles},
		{"backup-all --label ", noFiles},
		{"backup-all --jobs ", noFiles},
		{"backups import ", files},
		{"restore alpha --identity ", files},
		{"status --html ", files},
		{"status --metrics ", files},
		{"backup-all --log-json ", files},
		{"migrate import --set ", "edge\n" + noFiles},
		{"help backups v", "verify\tProve that backups are whole\n" + noFiles},
		{"extensions state show some ", "exec-hooks\nfleet-labels\nworkload-identity\n" + noFiles},
	} {
		code, stdout, _ := h.run(append([]string{"__complete"}, strings.Split(tc.line, " ")...)...)
		got := regexp.MustCompile(`\d{8}T\d{6}Z-[0-9a-f]{4}\t\d+s  [\d.]+ .?B`).ReplaceAllString(stdout, "ID\t0s  SIZE")
		if code != ExitOK || got != tc.want {
			t.Errorf("%q: exit %d, %q, want %q", tc.line, code, stdout, tc.want)
		}
	}
	if _, stdout, _ := h.run("__complete", "backup-all", "--skip-check", ""); !strings.Contains(stdout, "disk-space\n") || strings.Contains(stdout, "schema-agreement") {
		t.Errorf("--skip-check offers %q: every check but the gate", stdout)
	}
}

// Completion looks where the command itself would: the environment and the config file may name another store.
func TestCompletionKnowsTheConfiguredStore(t *testing.T) {
	h := newHost(t)
	h.sandbox("alpha", "exited", "first")
	h.mustRun("backup-all", "--offline", "-q")
	config := filepath.Join(h.home, ".config/sandkeeper/config.toml")
	writeFile(t, config, fmt.Sprintf("backup_dir = %q\n", t.TempDir()))
	if _, stdout, _ := h.run("__complete", "restore", ""); stdout != ":4\n" {
		t.Errorf("offered %q of a store that is not meant", stdout)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
