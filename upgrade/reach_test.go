package upgrade

import (
	"strings"
	"testing"

	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

// TestAnotherEngineDecidesNothing: what the engine that answers does not have is not gone, when the sandbox's own engine
// is another. A way back would delete the new sandbox, with what was done in it since, and find no image of the old one.
func TestAnotherEngineDecidesNothing(t *testing.T) {
	for _, task := range []string{"resume", "rollback"} {
		t.Run(task, func(t *testing.T) {
			w, f := workedIn(t, StepStarted)
			another := dockertest.Start(t)
			another.Become("ANOT:HER")
			own := f.Engine
			f.Engine, _ = engine.Dial(t.Context(), engine.Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + another.Host()}), Timeout: engineTimeout})

			got, err := f.task(t.Context(), task)
			if err != nil || got[0].Outcome != Failed || !got[0].Unfinished || !strings.Contains(got[0].Reason, w.engine.Host()) {
				t.Fatalf("%s through another engine = %+v, %v", task, got, err)
			}
			if now := w.containers(); len(now) != 1 || homeOf(now[0].Files)["/sandbox/notes.md"] != "0a day's work" {
				t.Fatalf("the new sandbox is not what it was: %+v", now)
			}

			f.Engine = own
			if got, err := f.task(t.Context(), task); err != nil || got[0].Unfinished {
				t.Errorf("%s through its own engine = %+v, %v", task, got, err)
			}
		})
	}
}
