package cmd

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
)

// Under nohup a terminal that is closed ends nothing.
func TestASignalThatIsIgnoredEndsNoRun(t *testing.T) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP) // whatever started the test, it is not ignored from here on
	t.Cleanup(func() { signal.Stop(heard) })
	if got := endings(); !slices.Contains(got, os.Signal(syscall.SIGHUP)) {
		t.Errorf("without nohup: %v", got)
	}
	signal.Ignore(syscall.SIGHUP)
	t.Cleanup(func() { signal.Notify(heard, syscall.SIGHUP) })
	if got := endings(); slices.Contains(got, os.Signal(syscall.SIGHUP)) || !slices.Contains(got, os.Signal(syscall.SIGTERM)) {
		t.Errorf("with SIGHUP ignored: %v", got)
	}
}
