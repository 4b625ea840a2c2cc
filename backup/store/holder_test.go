package store

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sandkeeper/internal/backuptest"
)

func TestHolderIsALivingRun(t *testing.T) {
	root := t.TempDir()
	s, err := Open(root, Options{UID: os.Getuid()})
	backuptest.Must(t, err)
	if got := s.Holder(); got != nil {
		t.Errorf("an unlocked store is held by %v", got)
	}
	other := exec.Command("sleep", "60")
	backuptest.Must(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	host, err := os.Hostname()
	backuptest.Must(t, err)
	word := func(e LockedError) {
		content, err := json.Marshal(e)
		backuptest.Must(t, err)
		backuptest.Must(t, os.WriteFile(filepath.Join(root, lockHolderName), content, 0o600))
	}
	word(LockedError{PID: other.Process.Pid, Host: host, Command: "backup-all"})
	if got := s.Holder(); got == nil || got.PID != other.Process.Pid || got.Path != root {
		t.Errorf("held by a living process: %+v", got)
	}
	backuptest.Must(t, other.Process.Kill())
	_ = other.Wait()
	if got := s.Holder(); got != nil {
		t.Errorf("held by a dead process: %+v", got)
	}
	word(LockedError{PID: 1, Host: "another-host"})
	if got := s.Holder(); got == nil {
		t.Error("another host's run is not reported")
	}
	backuptest.Must(t, os.WriteFile(filepath.Join(root, lockHolderName), []byte("{torn"), 0o600))
	if got := s.Holder(); got != nil {
		t.Errorf("a torn word: %+v", got)
	}
}
