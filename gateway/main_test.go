package gateway

import (
	"os"
	"testing"

	"sandkeeper/internal/apart"
)

// TestMain lets the tests see no gateway of the machine.
func TestMain(m *testing.M) {
	apart.Main(func() { os.Exit(m.Run()) })
}
