package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// TestUpgradeOfASandboxThatSomebodyStarts has somebody start the sandbox after it was saved: what is done in it from then on is in no
// backup, so it is not deleted.
func TestUpgradeOfASandboxThatSomebodyStarts(t *testing.T) {
	u := newUpgradeHost(t, "running")
	before := u.only().ID
	p := u.during("image-kept", func(upgrade *os.Process) {
		u.must(upgrade.Signal(syscall.SIGSTOP))
		u.must(u.engine.client.ContainerStart(t.Context(), before, container.StartOptions{}))
		u.must(upgrade.Signal(syscall.SIGCONT))
	})
	var d upgradeDocument
	if err := json.Unmarshal([]byte(p.stdout), &d); err != nil {
		t.Fatalf("%v\n%s\n%s", err, p.stdout, p.stderr)
	}
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
