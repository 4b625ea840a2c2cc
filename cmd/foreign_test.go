package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/lifecycle"
)

// Root with somebody's HOME runs no command that the configuration in it names, restores nothing from the store in it, and takes nothing
// from the state of extensions in it. Each is named, and stays as it is.
func TestWhatAnotherUserCouldHaveWrittenIsNotObeyed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, needs root: files are given to another user")
	}
	for what, tc := range map[string]struct {
		path string // below HOME, given away
		make func(t *testing.T, h *madeUpHost)
		line string
		code ExitCode
	}{
		"config": {".config/sandkeeper/config.toml", func(t *testing.T, h *madeUpHost) {
			h.write(t, ".config/sandkeeper/config.toml", "on_failure = \"touch "+h.home+"/ran\"\n")
		}, "backup-all --only nobody", ExitUsage},
		"store": {"store", func(t *testing.T, h *madeUpHost) {
			h.mustRun("backup-all", "--offline", "--backup-dir", filepath.Join(h.home, "store"))
		}, "restore alpha --yes --backup-dir HOME/store", ExitRefused},
		"extensions": {".local/state/sandkeeper/extensions.db", func(t *testing.T, h *madeUpHost) {
			store, err := lifecycle.OpenStore(filepath.Join(h.home, ".local/state/sandkeeper/extensions.db"), time.Second)
			if err = errors.Join(err, store.Close()); err != nil {
				t.Fatal(err)
			}
		}, "extensions reconcile", ExitRefused},
	} {
		t.Run(what, func(t *testing.T) {
			h := newHost(t)
			h.sandbox("alpha", "running", "old")
			tc.make(t, h)
			given := filepath.Join(h.home, tc.path)
			if err := os.Chown(given, 4711, 4711); err != nil {
				t.Fatal(err)
			}
			h.engine.Write("openshell-alpha", "/sandbox/notes.md", []byte("kept"))
			code, _, stderr := h.run(strings.Fields(strings.ReplaceAll(tc.line, "HOME", h.home))...)
			if code != tc.code || !strings.Contains(stderr, "belongs to user 4711") || !strings.Contains(stderr, given) {
				t.Errorf("exit %d, want %d:\n%s", code, tc.code, stderr)
			}
			if _, err := os.Lstat(filepath.Join(h.home, "ran")); err == nil {
				t.Error("the command of another user's configuration was run")
			}
			if now := h.content("alpha"); now != "kept" {
				t.Errorf("the home was replaced: %q", now)
			}
		})
	}
}
