package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// TestUpgradeOfASandboxThatSomebodyStarts has somebody start the sandbox after it was saved: what is done in it from then on is in no
// backup, so it is not deleted.
func TestUpgradeOfASandboxThatSomebodyStarts(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t, "running")
	before := u.only().ID
	started := false
	u.backend.beforeList = func() error { // it asks once more before it deletes
		if !started && len(u.rollbackImages()) > 0 {
			started = true
			u.must(u.engine.client.ContainerStart(context.Background(), before, container.StartOptions{}))
		}
		return nil
	}
	d := u.faulty(upgradeFault{})
	u.backend.obedient()
	s := u.outcome(d, 1, "failed")
	if s.Unfinished || s.Step != "deleting" || !strings.Contains(s.Reason, "was started again while it was being saved") || !strings.Contains(s.Reason, "nothing was deleted") {
		t.Errorf("%+v", s)
	}
	u.holds("running", u.oldID)
	if now := u.only().ID; now != before {
		t.Errorf("it is container %s, was %s", now, before)
	}
	u.tidy("")
	t.Logf("exit %d, %s: %q", d.ExitCode, d.Error.Message, s.Reason)
}
