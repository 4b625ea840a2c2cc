//go:build unix

package main

import (
	"os"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// signalCommand is `signal STOP` and `signal CONT`: every program that the script runs in the background gets it.
func signalCommand(ts *testscript.TestScript, _ bool, args []string) {
	sig, known := map[string]os.Signal{"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}[args[0]]
	running := ts.BackgroundCmds()
	if !known || len(running) == 0 {
		ts.Fatalf("signal %s, and %d programs in the background", args[0], len(running))
	}
	for _, c := range running {
		ts.Check(c.Process.Signal(sig))
	}
}
