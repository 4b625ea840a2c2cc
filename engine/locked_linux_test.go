package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// An agent's start script sets chattr +i: what it protects so is found before anything is stopped, not when the deletion fails half way.
func TestLockedEntriesOfALayer(t *testing.T) {
	dir := t.TempDir()
	immutable, growing := filepath.Join(dir, "sandbox/.agent/config"), filepath.Join(dir, "sandbox/log")
	if err := os.MkdirAll(filepath.Dir(immutable), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, flag := range map[string]string{immutable: "+i", growing: "+a", filepath.Join(dir, "sandbox/plain"): ""} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if flag == "" {
			continue
		}
		if text, err := exec.Command("chattr", flag, path).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED, needs root and a file system with flags: %v: %s", err, text)
		}
		t.Cleanup(func() { _ = exec.Command("chattr", "-i", "-a", path).Run() })
	}

	layer := Layer{Dir: dir}
	if got := layer.Locked(t.Context(), "/"); !slices.Equal(got, []string{immutable, growing}) {
		t.Errorf("locked are %q", got)
	}
	if got := layer.Locked(t.Context(), "/elsewhere"); len(got) != 0 {
		t.Errorf("in a folder that is not there: %q", got)
	}
}
