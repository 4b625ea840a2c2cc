package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestUpgradeInterruptedAtEveryStage presses Ctrl-C, or stops the service, as soon as a real run says a stage. It exits 130, says
// what there is now, and leaves either the sandbox as it was, or the old one back, or everything in the journal: never a sandbox
// that is stopped with nobody to start it. SANDKEEPER_KILL_ROUNDS=all does it at every stage with both signals; else at a few.
func TestUpgradeInterruptedAtEveryStage(t *testing.T) {
	stages, signals := []string{"stopping", "keeping-image", "deleting", "creating", "restoring", "starting"}, []syscall.Signal{syscall.SIGINT}
	if allRounds() {
		stages, signals = upgradeStages(), []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}
	}
	for _, stage := range stages {
		for _, signal := range signals {
			t.Run(stage+", "+signal.String(), func(t *testing.T) {
				t.Parallel()
				u := newUpgradeHost(t, "running")
				before := u.only().ID
				s := u.interrupted(stage, signal)
				switch {
				case s.Unfinished:
					s = u.outcome(u.upgrade("--rollback"), 0, "rolled_back")
				case s.Outcome == "failed" && before != u.only().ID:
					t.Errorf("nothing was deleted, and container %s was replaced by %s", before, u.only().ID)
				}
				u.settledAs(s)
				if s.Outcome != "upgraded" {
					u.settledAs(u.outcome(u.upgrade(), 0, "upgraded"))
				}
			})
		}
	}
}

// interrupted is what a run says that gets a signal at a stage.
func (u *upgradeHost) interrupted(stage string, signal syscall.Signal) upgradedSandbox {
	u.t.Helper()
	reached := false
	p := u.during(stage, func(child *os.Process) { reached = child.Signal(signal) == nil })
	d := u.decode(p.printed)
	if !reached {
		u.t.Fatalf("the signal was not sent at %s\n%s\n%s", stage, p.stdout, p.stderr)
	}
	if d.Result == nil || len(d.Result.Sandboxes) != 1 {
		u.t.Fatalf("exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	s := d.Result.Sandboxes[0]
	if d.ExitCode == 0 && s.Outcome == "upgraded" && slices.Contains([]string{"starting", "started", "finishing"}, stage) {
		return s // the signal came when everything was done
	}
	if d.ExitCode != 130 || d.Error == nil || d.Error.Kind != "interrupted" || d.Error.Hint == "" {
		u.t.Fatalf("exit %d, error %+v, result %+v, want 130\n%s", d.ExitCode, d.Error, d.Result, p.stderr)
	}
	if why := signal.String() + " signal received"; s.Outcome != "upgraded" && !strings.Contains(s.Reason, why) {
		u.t.Errorf("the reason does not say %q: %s", why, s.Reason)
	}
	u.t.Logf("exit %d, %s: %s at %s: %q; hint %q", p.exit, d.Error.Message, s.Outcome, s.Step, s.Reason, d.Error.Hint)
	return s
}

// TestUpgradeCutOffWhileTheSandboxStops ends a run while the engine still waits for a main process that does not listen: the stop
// that was asked for must not come after the sandbox was called as it was.
func TestUpgradeCutOffWhileTheSandboxStops(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		then   string
		want   string
	}{{signal: syscall.SIGINT}, {syscall.SIGKILL, "--rollback", "rolled_back"}, {syscall.SIGKILL, "--resume", "upgraded"}} {
		t.Run(c.signal.String()+" "+c.then, func(t *testing.T) {
			t.Parallel()
			u := newUpgradeHost(t, "running", "/bin/deaf")
			u.driver.Runs() // of those that come after it
			p := u.during("stopping", func(child *os.Process) {
				time.Sleep(time.Second) // the engine has told the process, and waits
				u.must(child.Signal(c.signal))
			})
			if c.signal == syscall.SIGINT && p.exit != 130 || c.signal == syscall.SIGKILL && p.signal != syscall.SIGKILL {
				t.Fatalf("exit %d, signal %v\n%s\n%s", p.exit, p.signal, p.stdout, p.stderr)
			}
			var s upgradedSandbox
			if c.then != "" {
				s = u.outcome(u.upgrade(c.then), 0, c.want)
			}
			u.settledAs(s)
			time.Sleep(11 * time.Second) // longer than the engine waits
			u.settledAs(s)
		})
	}
}

// TestUpgradeResumedAfterTheSandboxWasUsed has somebody start the old sandbox again after an upgrade was killed, and work in it: what
// they made is in the new one.
func TestUpgradeResumedAfterTheSandboxWasUsed(t *testing.T) {
	for _, stage := range []string{"backed-up", "image-kept", "deleting"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			u := newUpgradeHost(t, "running")
			killed := make(chan struct{})
			u.backend.beforeDelete = func(int) error {
				<-killed
				return errors.New("nobody hears this")
			}
			u.killAt(stage)
			close(killed)
			u.backend.obedient()
			c := u.only()
			u.engine.start(c.ID)
			u.engine.put(c.ID, entry{name: "made-since", content: "a day's work", mode: 0o600})
			u.files = u.engine.now(c.ID)
			u.settledAs(u.outcome(u.upgrade("--resume"), 0, "upgraded"))
		})
	}
}

// TestUpgradeKilledInTheMiddleOfTheRestore kills a run that has written half of a home: resumed or rolled back, it leaves neither the half
// home nor the copy of what the image had there.
func TestUpgradeKilledInTheMiddleOfTheRestore(t *testing.T) {
	t.Parallel()
	t.Run("engine", func(t *testing.T) {
		killedInTheRestore(t, "engine", func(u *upgradeHost) string { return filepath.Join(u.backups(), ".before-restore-*") })
	})
	t.Run("auto", func(t *testing.T) {
		killedInTheRestore(t, "auto", func(u *upgradeHost) string { return u.engine.stages(u.only().ID) })
	})
}

// stages is a pattern of what a restore on the direct way makes beside the writable layer of a container.
func (e *engine) stages(id string) string {
	e.t.Helper()
	c, err := e.client.ContainerInspect(e.t.Context(), id)
	if err != nil || os.Geteuid() != 0 {
		lacks(e.t, "SANDKEEPER_REQUIRE_ROOT", fmt.Sprintf("the direct way: %v", err))
	}
	return filepath.Join(filepath.Dir(c.GraphDriver.Data["UpperDir"]), ".sandkeeper-*")
}

// killedInTheRestore kills the restore of an upgrade as soon as there is what begun names.
func killedInTheRestore(t *testing.T, way string, begun func(*upgradeHost) string) {
	for then, want := range map[string]string{"--resume": "upgraded", "--rollback": "rolled_back"} {
		t.Run(then, func(t *testing.T) {
			t.Parallel()
			u := newUpgradeHost(t, "running")
			u.engine.put(u.only().ID, entry{name: "noise", content: noise(64), mode: 0o600})
			u.files = u.engine.now(u.only().ID)
			var copies []string
			p := u.during("restoring", func(child *os.Process) {
				name := begun(u)
				for until := time.Now().Add(waitLimit); len(copies) == 0 && time.Now().Before(until); time.Sleep(time.Millisecond) {
					copies, _ = filepath.Glob(name)
				}
				u.must(child.Kill())
			}, "--way", way)
			if p.signal != syscall.SIGKILL || len(copies) != 1 {
				t.Fatalf("it ended with exit %d, signal %v, and had kept %q\n%s\n%s", p.exit, p.signal, copies, p.stdout, p.stderr)
			}
			u.settledAs(u.outcome(u.upgrade(then), 0, want))
		})
	}
}
