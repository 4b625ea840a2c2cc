package backup

import (
	"context"
	"fmt"
	"os"
	"testing"

	"sandkeeper/internal/env"
)

// TestMain lets the test program serve as the guard process, and as a run that is killed: both are started as the real program
// would be, by running our own image again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "guard" {
		if err := Guard(context.Background(), os.Stdin, os.Stdout, os.Args[2], Dialer(env.Parse(os.Environ()))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
