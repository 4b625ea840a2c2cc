package cmd

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A restore through a gateway that was killed is told by every command, also by one that may ask no gateway; nothing is said to be
// whole that is not, and the journal stays until it is.
func TestKilledExecRestoreIsToldUntilItIsFinished(t *testing.T) {
	h := newHost(t)
	dir := filepath.Join(h.home, ".local/state/sandkeeper/restoring/exec")
	file := filepath.Join(dir, fmt.Sprintf("%x.json", sha256.Sum256([]byte("gw\x00alpha"))))
	entry := `{"sandbox":"alpha","gateway":"gw","backup":"20261121T101500Z-1f3a","home":"/sandbox","stage":"/sandbox/.sandkeeper-restore-x","step":"swapping","pid":1073741824}`
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{file: entry, strings.TrimSuffix(file, ".json") + ".lock": ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"backups list", "backup-all --offline", "preflight"} {
		_, _, stderr := h.run(strings.Fields(line)...)
		for _, want := range []string{`a restore of backup 20261121T101500Z-1f3a into sandbox "alpha" of gateway "gw"`, "did not end", "/sandbox/.sandkeeper-restore-x"} {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: stderr lacks %q:\n%s", line, want, stderr)
			}
		}
		if offline := strings.Contains(line, "offline"); offline != strings.Contains(stderr, "this command asks no gateway") {
			t.Errorf("%s: %s", line, stderr)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%s: the journal's entry: %v", line, err)
		}
	}
	if err := os.WriteFile(file, []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, stderr := h.run("backups", "list"); !strings.Contains(stderr, "the record of a restore through a gateway is left alone") || !strings.Contains(stderr, "not readable") {
		t.Errorf("a torn journal is not told: %s", stderr)
	}
}
