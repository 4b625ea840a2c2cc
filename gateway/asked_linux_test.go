package gateway

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandkeeper/engine"
)

// The file that serves and would also be started next is run once for both; a file that took its place is run as well.
func TestOneFileIsAskedOnce(t *testing.T) {
	o, home, dir := hostWith(t, 8080)
	o.Engines = func(context.Context) engine.Engines { return engine.Engines{} }
	path := filepath.Join(home, "bin", gatewayProgram)
	install(t, path, "0.0.37")
	mark(t, dir, launch(t, path, "", path).Process.Pid, path, time.Now())
	for _, step := range []struct {
		next string
		runs int64
	}{{"0.0.37", 1}, {"0.0.38", 2}} {
		if step.next != "0.0.37" {
			install(t, path, step.next)
		}
		seen := Observe(t.Context(), o)
		if seen.Process.Version.String() != "0.0.37" || seen.File.Version.String() != step.next {
			t.Errorf("process %+v, file %+v; want 0.0.37 and %s", seen.Process, seen.File, step.next)
		}
		executed := filepath.Join(home, "executed")
		if info, err := os.Stat(executed); err != nil || info.Size() != step.runs {
			t.Errorf("%s next: the stand-in was run %v times, %v; want %d", step.next, info, err, step.runs)
		}
		if err := os.Remove(executed); err != nil {
			t.Fatal(err)
		}
	}
}
