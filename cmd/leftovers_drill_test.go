package cmd

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a killed drill left is told by every command: nobody may run another drill, and a whole home lies in that container.
func TestAContainerOfAKilledDrillIsTold(t *testing.T) {
	h := newHost(t)
	dir := filepath.Join(h.home, ".local/state/sandkeeper/drills")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(dir, fmt.Sprintf("%x", sha256.Sum256([]byte("sandkeeper-drill-1f3a"))))
	for path, text := range map[string]string{
		record + ".json": `{"name":"sandkeeper-drill-1f3a","engine":"docker ID /var/lib/docker","at":"2026-11-21T10:15:00Z"}`, record + ".lock": "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, _, stderr := h.run("backups", "list")
	for _, want := range []string{`container "sandkeeper-drill-1f3a" may hold the home`, "sandkeeper backups drill", "remove " + record + ".json"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
}
