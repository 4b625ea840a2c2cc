package drill

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

// A check that does not end is at fault itself: the engine that waits for it answers.
func TestACheckThatDoesNotEndIsNamed(t *testing.T) {
	daemon := dockertest.Start(t)
	e, state := engine.Dial(t.Context(), engine.Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + daemon.Host()})})
	if e == nil {
		t.Fatal(state.Why)
	}
	defer e.Close()
	id := daemon.Add(dockertest.Container{Name: "sandkeeper-drill-1"})
	daemon.Break(dockertest.Fault{Call: "POST /containers/" + id + "/wait", Hang: true})
	_, err := Options{CheckLimit: time.Second}.try(t.Context(), e, id, "sleep 1d")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `"sleep 1d" in the restored home did not end within 1s`) {
		t.Errorf("%v", err)
	}
}
