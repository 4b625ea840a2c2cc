package cmd

import (
	"os"
	"testing"

	"sandkeeper/internal/apart"
)

// TestMain lets the test program serve as the guard process, which a run starts by running its own image again: without it the guard
// would run every test of this package, each of which may start a guard. The tests see no gateway of the machine.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == guardName {
		os.Exit(int(Main(os.Args[1:], SystemStreams())))
	}
	apart.Main(func() { os.Exit(m.Run()) })
}
