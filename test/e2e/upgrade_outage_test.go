package e2e

import (
	"strings"
	"testing"
	"time"

	"sandkeeper/test/e2e/gateway"
)

// outage is a gateway that is killed in the middle of an upgrade.
type outage struct {
	name    string
	arrange func(*upgradeHost)
	at      string // the stage at which it is killed, when not by a call
	step    string // at which the upgrade stops
	says    []string
}

func outages() []outage {
	return []outage{
		{
			name: "before it deletes", step: "deleting", says: []string{"is not known"},
			arrange: func(u *upgradeHost) { u.backend.beforeDelete = func(int) error { return u.power.cut() } },
		},
		{
			name: "when it has deleted", step: "deleting", says: []string{"is not known"},
			arrange: func(u *upgradeHost) { u.backend.afterDelete = func(int) error { return u.power.cut() } },
		},
		{
			name: "before it creates", step: "creating", says: []string{"is not known"},
			arrange: func(u *upgradeHost) {
				u.backend.beforeCreate = func(int, gateway.Sandbox) error { return u.power.cut() }
			},
		},
		{
			name: "when it has created", step: "creating", says: []string{"is not known"},
			arrange: func(u *upgradeHost) {
				u.backend.afterCreate = func(int, gateway.Sandbox) error { return u.power.cut() }
			},
		},
		{
			name: "while it is waited for", step: "waiting", says: []string{"not Ready within " + shortReady, "is not known"},
			arrange: func(u *upgradeHost) {
				u.backend.phase = func(creates, look int, s gateway.Sandbox) gateway.Phase {
					if creates == 1 && look == 1 {
						go u.power.off()
						return gateway.Provisioning
					}
					return s.Phase
				}
			},
		},
		{name: "during the restore", at: "restoring", step: "restoring", says: []string{"is not known"}},
	}
}

// TestUpgradeWithAGatewayThatIsKilled stops an upgrade on real containers where neither way is open. Nothing is lost: the text says
// what is where, a plain run refuses, and both commands that it names end well once the gateway is back at its address. By default one of
// the two is tried, with SANDKEEPER_KILL_ROUNDS=all both.
func TestUpgradeWithAGatewayThatIsKilled(t *testing.T) {
	for i, o := range outages() {
		for j, then := range []string{"--resume", "--rollback"} {
			if want := []string{"upgraded", "rolled_back"}[j]; i%2 == j || allRounds() {
				t.Run(o.name+", then "+then, func(t *testing.T) {
					t.Parallel()
					o.play(t, then, want)
				})
			}
		}
	}
}

func (o outage) play(t *testing.T, then, want string) {
	u := newUpgradeHost(t, "running")
	if o.arrange != nil {
		o.arrange(u)
	}
	d := u.faulty(upgradeFault{at: o.at, then: func(u *upgradeHost) { u.power.off() }, args: []string{"--ready-limit", shortReady}})
	s := u.outcome(d, 1, "failed")
	t.Logf("exit %d, %s: %q, hint %q", d.ExitCode, d.Error.Message, s.Reason, d.Error.Hint)
	u.stuck(d, o.step, o.says...)
	u.backend.obedient()
	if without := u.outcome(u.upgrade(then), 1, "failed"); !without.Unfinished || without.Step != o.step {
		t.Errorf("%s without a gateway: %+v, want it unfinished at %s", then, without, o.step)
	}
	u.power.on()
	u.settledAs(u.outcome(u.upgrade(then), 0, want))
}

// stuck holds that an outcome says where everything is and how to go on, and that a plain run refuses.
func (u *upgradeHost) stuck(d upgradeDocument, step string, says ...string) {
	u.t.Helper()
	s := d.Result.Sandboxes[0]
	if s.Step != step || !s.Unfinished || s.Backup == "" || s.RollbackImage == "" {
		u.t.Errorf("it stopped at %s (unfinished %v, backup %q, image %q), want unfinished at %s with both", s.Step, s.Unfinished, s.Backup, s.RollbackImage, step)
	}
	says = append(says, "image "+s.RollbackImage+" holds its file system", "backup "+s.Backup+" holds its home",
		"`sandkeeper upgrade-sandboxes --resume --only "+u.name+"`", "`sandkeeper upgrade-sandboxes --rollback --only "+u.name+"`")
	for _, want := range says {
		if !strings.Contains(s.Reason, want) {
			u.t.Errorf("the reason does not say %q: %s", want, s.Reason)
		}
	}
	if d.Error.Kind != "partial" || !strings.Contains(d.Error.Hint, "--resume") || !strings.Contains(d.Error.Hint, "--rollback") {
		u.t.Errorf("error %+v", d.Error)
	}
	plain := u.upgrade()
	if plain.ExitCode != 1 || plain.Error == nil || plain.Error.Kind != "partial" || !strings.Contains(plain.Error.Message, step) ||
		!strings.Contains(plain.Error.Hint, "--resume") || !strings.Contains(plain.Error.Hint, "--rollback") {
		u.t.Errorf("a plain run: exit %d, %+v", plain.ExitCode, plain.Error)
	}
}

// settledAs holds that the sandbox is what an outcome says, and that nothing else is left.
func (u *upgradeHost) settledAs(s upgradedSandbox) {
	u.t.Helper()
	switch {
	case s.Outcome == "upgraded":
		u.holds("running", u.newID)
	case s.RollbackImage != "":
		u.cameBack("running", s.RollbackImage)
	default: // never deleted
		u.holds("running", u.oldID)
	}
	u.tidy(s.RollbackImage)
	if u.t.Failed() {
		u.t.Logf("the outcome was %+v", s)
	}
}

// TestUpgradeWithAGatewayThatComesBack has a gateway that is killed while the new sandbox is waited for, and restarted within the
// limit: nothing fails.
func TestUpgradeWithAGatewayThatComesBack(t *testing.T) {
	for _, stage := range []string{"waiting", "settling", "restoring", "starting"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			u := newUpgradeHost(t, "running")
			d := u.faulty(upgradeFault{at: stage, then: func(u *upgradeHost) {
				u.power.off()
				time.AfterFunc(2*time.Second, u.power.on)
			}, args: []string{"--settle", "4s", "--ready-limit", "2m"}})
			u.settledAs(u.outcome(d, 0, "upgraded"))
		})
	}
}

// TestUpgradeWithAGatewayThatIsKilledBeforeTheDeletion leaves the old sandbox where it was: nobody had asked for its deletion. Its gateway
// alone can start what it has stopped: as soon as it is back, the way back ends.
func TestUpgradeWithAGatewayThatIsKilledBeforeTheDeletion(t *testing.T) {
	for _, stage := range []string{"stopping", "backing-up", "image-kept"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			u := newUpgradeHost(t, "running")
			before := u.only().ID
			fault := upgradeFault{at: stage, then: func(u *upgradeHost) { u.power.off() }}
			if stage == "image-kept" { // it asks within milliseconds after that: what it asks is not answered
				fault.at = ""
				u.backend.beforeList = func() error {
					if len(u.rollbackImages()) == 0 {
						return nil
					}
					return u.power.cut()
				}
			}
			d := u.faulty(fault)
			u.backend.obedient()
			s := u.outcome(d, 1, "failed")
			if !s.Unfinished || s.Step != "rolling-back" || !strings.Contains(s.Reason, "it cannot be reached") || !strings.Contains(s.Reason, "--rollback") {
				t.Errorf("the outcome is %+v", s)
			}
			t.Logf("exit %d, %s: %q", d.ExitCode, d.Error.Message, s.Reason)
			u.power.on()
			s = u.outcome(u.upgrade("--rollback"), 0, "rolled_back")
			if now := u.only().ID; now != before {
				t.Errorf("container %s was replaced by %s", before, now)
			}
			u.settledAs(s)
			u.settledAs(u.outcome(u.upgrade(), 0, "upgraded"))
		})
	}
}
