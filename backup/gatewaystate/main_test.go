package gatewaystate

import (
	"os"
	"testing"

	"sandkeeper/internal/backuptest"
)

// TestMain lets the test program serve as a run that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "gateway-restore" {
		os.Exit(backuptest.Obey(os.Args[2], gatewayVictim))
	}
	os.Exit(m.Run())
}
