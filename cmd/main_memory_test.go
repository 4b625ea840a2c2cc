package cmd

import (
	"runtime/debug"
	"testing"

	"sandkeeper/internal/env"
	"sandkeeper/internal/ui"
)

// A backup of any size stays below 64 MiB because garbage is collected often, unless the operator said how often.
func TestGarbageIsCollectedOften(t *testing.T) {
	usual := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(usual) })
	collectOften(&ui.Streams{Env: env.Parse([]string{"GOGC=100"})}, 50)
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("with GOGC=100 collected at %d %%", got)
	}
	collectOften(&ui.Streams{Env: env.Parse(nil)}, 50)
	if got := debug.SetGCPercent(100); got != 50 {
		t.Errorf("collected at %d %%", got)
	}
}
