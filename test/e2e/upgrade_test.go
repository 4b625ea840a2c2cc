package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sandkeeper/test/e2e/gateway"
)

// upgradeDocument is what upgrade-sandboxes prints.
type upgradeDocument struct {
	ExitCode int
	Error    *struct{ Kind, Message, Hint string }
	Result   *struct {
		Totals    map[string]int
		Sandboxes []upgradedSandbox
	}
}

// upgradedSandbox is what it says of one sandbox.
type upgradedSandbox struct {
	Name, Outcome, Step, Reason, Backup, RollbackImage string
	Unfinished                                         bool
	Warnings                                           []string
}

func (u *upgradeHost) arguments(args ...string) []string {
	u.tell()
	return append([]string{filepath.Join(os.Getenv(programs), "sandkeeper"), "upgrade-sandboxes", "--only", u.name, "--settle", "300ms", "--yes", "--allow-unverified", "--json"}, args...)
}

func (u *upgradeHost) upgrade(args ...string) upgradeDocument {
	u.t.Helper()
	return u.decode(run(u.t, u.env, u.arguments(args...)...))
}

// decode reads what an upgrade printed, and holds it against its exit status.
func (u *upgradeHost) decode(p printed) upgradeDocument {
	u.t.Helper()
	var d upgradeDocument
	if err := json.Unmarshal([]byte(p.stdout), &d); err != nil {
		u.t.Fatalf("%v\n%s\n%s", err, p.stdout, p.stderr)
	}
	if d.ExitCode != p.exit {
		u.t.Errorf("it exits %d and says %d", p.exit, d.ExitCode)
	}
	return d
}

func TestUpgradeOverRealContainers(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"running", "exited"} {
		t.Run(state, func(t *testing.T) {
			u := newUpgradeHost(t, state)
			u.outcome(u.upgrade(), 0, "upgraded")
			u.holds(state, u.newID)
			if again := u.upgrade(); again.ExitCode != 0 || again.Result.Totals["current"] != 1 {
				t.Errorf("a second time: exit %d, error %+v, result %+v", again.ExitCode, again.Error, again.Result)
			}
		})
	}
}

// TestUpgradeAsksFirst leaves the answer to a person: without a terminal nothing happens.
func TestUpgradeAsksFirst(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t, "running")
	before := u.only().ID
	p := u.text("upgrade-sandboxes", "--only", u.name, "--allow-unverified")
	if p.exit != 2 || !strings.Contains(p.stderr, "--yes") || !strings.Contains(p.stderr, u.name+": running; from "+u.image) {
		t.Errorf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
	if now := u.only().ID; now != before {
		t.Errorf("container %s was replaced by %s", before, now)
	}
	u.holds("running", u.oldID)
}

// upgradeStages are the words at which a run is killed.
func upgradeStages() []string {
	return []string{
		"planned", "preconditions", "rehearsing", "rehearsed", "stopping", "stopped", "backing-up", "backed-up", "keeping-image", "image-kept", "deleting", "deleted", "creating",
		"created", "waiting", "ready", "settling", "settled", "restoring", "restored", "comparing", "compared", "starting", "started", "finishing",
	}
}

// allRounds reports whether every stage is to be tried, as the soak does.
func allRounds() bool { return os.Getenv("SANDKEEPER_KILL_ROUNDS") == "all" }

// TestUpgradeKilledAtEveryStage kills real runs with kill -9 as soon as they say a stage, and finishes or takes back what is left.
// SANDKEEPER_KILL_ROUNDS=all kills at every stage, both ways; else at a few.
func TestUpgradeKilledAtEveryStage(t *testing.T) {
	chosen := []string{"rehearsing", "backed-up", "deleting", "creating", "restoring", "starting"}
	if allRounds() {
		chosen = upgradeStages()
	}
	for _, stage := range chosen {
		for _, then := range []string{"--resume", "--rollback"} {
			t.Run(stage+", then "+then, func(t *testing.T) {
				t.Parallel()
				newUpgradeHost(t, "running").killRound(stage, then)
			})
		}
	}
}

// TestUpgradeOfAnotherHomeKilledAtEveryStage does the same to a sandbox whose home is the WORKDIR of its image.
func TestUpgradeOfAnotherHomeKilledAtEveryStage(t *testing.T) {
	chosen := []string{"deleting", "restoring"}
	if allRounds() {
		chosen = upgradeStages()
	}
	for i, stage := range chosen {
		for j, then := range []string{"--resume", "--rollback"} {
			if i%2 == j || allRounds() {
				t.Run(stage+", then "+then, func(t *testing.T) {
					t.Parallel()
					(&upgradeHost{version: trueVersion, workdir: "/app"}).begin(t, "running", nil).killRound(stage, then)
				})
			}
		}
	}
}

// killRound kills an upgrade at a stage, and goes on or back.
func (u *upgradeHost) killRound(stage, then string) {
	u.t.Helper()
	u.killAt(stage)
	touched := !slices.Contains([]string{"planned", "preconditions", "rehearsing", "rehearsed"}, stage)
	refused := u.upgrade()
	if stage == "rehearsed" { // is the last word before the first touch: the kill may come after that
		touched = refused.ExitCode != 0
	}
	if touched && (refused.ExitCode != 1 || refused.Error == nil || !strings.Contains(refused.Error.Hint, "--resume") || !strings.Contains(refused.Error.Hint, "--rollback")) {
		u.t.Fatalf("a plain run over an unfinished one: exit %d, %+v", refused.ExitCode, refused.Error)
	} else if !touched {
		u.holds("running", u.newID)
		u.tidy("")
		return
	}
	got := u.upgrade(then)
	if got.ExitCode != 0 || got.Result == nil || len(got.Result.Sandboxes) != 1 {
		u.t.Fatalf("%s: exit %d, error %+v, result %+v", then, got.ExitCode, got.Error, got.Result)
	}
	u.settledAs(got.Result.Sandboxes[0])
	u.t.Logf("killed at %s, %s: %s", stage, then, got.Result.Sandboxes[0].Outcome)
}

// TestUpgradeAfterARollback takes an upgrade back, sees that the kept image passes for no sandbox, and upgrades again.
func TestUpgradeAfterARollback(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t, "running")
	u.killAt("creating")
	back := u.outcome(u.upgrade("--rollback"), 0, "rolled_back")
	u.cameBack("running", back.RollbackImage)
	kept, err := u.engine.client.ImageInspect(t.Context(), back.RollbackImage)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range kept.Config.Labels {
		if strings.HasPrefix(key, "openshell.") && value != "" {
			t.Errorf("the rollback image has label %s=%s", key, value)
		}
	}
	if got := u.upgrade("--check"); got.ExitCode != 4 || got.Result.Totals["stale"] != 1 {
		t.Errorf("check: exit %d, %+v, want it stale still", got.ExitCode, got.Result)
	}
	u.settledAs(u.outcome(u.upgrade(), 0, "upgraded"))
}

// killAt starts an upgrade and kills it when it says that it is at a stage.
func (u *upgradeHost) killAt(stage string, args ...string) {
	u.t.Helper()
	p := u.during(stage, func(child *os.Process) { _ = child.Kill() }, args...)
	if p.signal != syscall.SIGKILL || !strings.Contains(p.stderr, u.name+": "+stage+"\n") {
		u.t.Fatalf("it was not killed at %s but ended with exit %d, signal %v\nstdout: %s\nstderr: %s\nits gateway was asked: %q",
			stage, p.exit, p.signal, p.stdout, p.stderr, u.calls.since())
	}
	if _, over := waitFor(waitLimit, func() bool { return u.listed().Phase != gateway.Deleting }); !over {
		u.t.Errorf("its gateway does not come to the end of a deletion that it had begun")
	}
}

// ending is how a run ended, and what it had said by then.
type ending struct {
	printed
	signal syscall.Signal
}

// during starts an upgrade, calls do as soon as it says that it is at a stage, and waits for its end.
func (u *upgradeHost) during(stage string, do func(*os.Process), args ...string) ending {
	u.t.Helper()
	argv := u.arguments(args...)
	ctx, cancel := context.WithTimeout(u.t.Context(), 3*waitLimit)
	defer cancel()
	child := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	child.Env, child.Stdout = u.env, &stdout
	said, err := child.StderrPipe()
	if err != nil {
		u.t.Fatal(err)
	}
	u.calls.begin()
	if err := child.Start(); err != nil {
		u.t.Fatal(err)
	}
	reached := false
	for lines := bufio.NewScanner(io.TeeReader(said, &stderr)); lines.Scan(); {
		if !reached && lines.Text() == u.name+": "+stage {
			reached = true
			do(child.Process)
		}
	}
	err = child.Wait()
	exited, _ := errors.AsType[*exec.ExitError](err)
	if err != nil && exited == nil {
		u.t.Fatalf("%q: %v", argv, err)
	}
	status, _ := child.ProcessState.Sys().(syscall.WaitStatus)
	end := ending{printed: printed{stdout.String(), stderr.String(), child.ProcessState.ExitCode()}}
	if status.Signaled() {
		end.signal = status.Signal()
	}
	return end
}
