package e2e

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandkeeper/test/e2e/gateway"
)

// beside is one more sandbox on the same host, made from the same image before that moved on.
func (u *upgradeHost) beside() *upgradeHost {
	u.t.Helper()
	other := &upgradeHost{version: u.version, realHost: u.realHost, engine: u.engine, driver: u.driver, backend: u.backend, power: u.power, image: u.image, oldID: u.oldID, newID: u.newID, spec: u.spec}
	other.name = "up" + gateway.NewID()[:8]
	u.tag(u.oldID)
	defer u.tag(u.newID)
	u.t.Cleanup(other.sweep)
	other.createFromSpec()
	return other
}

func (u *upgradeHost) tag(id string) {
	u.t.Helper()
	if err := u.engine.client.ImageTag(u.t.Context(), id, u.image); err != nil {
		u.t.Fatal(err)
	}
}

// TestUpgradeOfTwoWhereOneFails has the first of two sandboxes fail: it comes back, the other is upgraded, and the exit code is 3.
func TestUpgradeOfTwoWhereOneFails(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t, "running")
	other := u.beside()
	refuseFirst(u)
	d := u.upgrade("--only", other.name)
	if d.ExitCode != 3 || d.Error == nil || d.Error.Kind != "partial" || d.Error.Message != "1 of 2 sandboxes were not upgraded: 1 rolled back" {
		t.Errorf("exit %d, error %+v", d.ExitCode, d.Error)
	}
	if d.Result == nil || d.Result.Totals["upgraded"] != 1 || d.Result.Totals["rolledBack"] != 1 || len(d.Result.Sandboxes) != 2 {
		t.Fatalf("result %+v", d.Result)
	}
	hosts := map[string]*upgradeHost{u.name: u, other.name: other}
	for _, s := range d.Result.Sandboxes {
		if s.Outcome == "rolled_back" && !strings.Contains(s.Reason, "quota exceeded") {
			t.Errorf("%+v", s)
		}
		hosts[s.Name].settledAs(s)
	}
	t.Logf("exit %d, %s", d.ExitCode, d.Error.Message)
}

// TestUpgradeThatCanNeitherGoOnNorBack has a gateway that refuses every creation, as often as it is asked: everything is kept, the
// text names it all, and as soon as the gateway creates again, either command brings the sandbox home.
func TestUpgradeThatCanNeitherGoOnNorBack(t *testing.T) {
	t.Parallel()
	for _, then := range []string{"--resume", "--rollback"} {
		t.Run(then, func(t *testing.T) {
			u := newUpgradeHost(t, "running")
			u.backend.beforeCreate = func(int, gateway.Sandbox) error { return status.Error(codes.ResourceExhausted, "quota exceeded") }
			d := u.upgrade()
			s := u.outcome(d, 1, "failed")
			u.stuck(d, "recreating", "quota exceeded", "Its gateway does not list it")
			t.Logf("exit %d, %s: %q, hint %q", d.ExitCode, d.Error.Message, s.Reason, d.Error.Hint)
			again := u.upgrade(then)
			if kept := u.outcome(again, 1, "failed"); kept.RollbackImage != s.RollbackImage || kept.Backup != s.Backup {
				t.Errorf("a second refusal: %+v, want image and backup of %+v", kept, s)
			}
			u.stuck(again, "recreating", "quota exceeded")
			u.backend.obedient()
			back := u.upgrade(then)
			if then == "--resume" { // it went back, although going on was asked for
				u.settledAs(u.outcome(back, 1, "rolled_back"))
				return
			}
			u.settledAs(u.outcome(back, 0, "rolled_back"))
		})
	}
}
