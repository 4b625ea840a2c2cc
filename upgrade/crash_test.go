package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The crash tests run this test binary again as the process that is killed, at the n-th point that it passes.
const (
	crashFolder = "SANDKEEPER_TEST_UPGRADE_FOLDER"
	crashWorld  = "SANDKEEPER_TEST_UPGRADE_WORLD" // engine host, space, gateway socket
	crashPoint  = "SANDKEEPER_TEST_UPGRADE_POINT"
	crashTask   = "SANDKEEPER_TEST_UPGRADE_TASK" // upgrade, resume, rollback
)

// TestCrashChild is the process that is killed; alone it has nothing to do.
func TestCrashChild(t *testing.T) {
	folder := os.Getenv(crashFolder)
	if folder == "" {
		t.Skip("only the crash tests run this, as another process")
	}
	at, err := strconv.Atoi(os.Getenv(crashPoint))
	if err != nil {
		t.Fatal(err)
	}
	host, socket, _ := strings.Cut(os.Getenv(crashWorld), " ")
	passed := 0
	f, err := fit(t.Context(), folder, host, socket, func(what string) {
		if passed++; passed == at {
			fmt.Println("killed at:", what)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(crashTask) == rehearsedUpgrade {
		f.Rehearsals = IdleRehearsal
	}
	outcomes, err := f.task(t.Context(), os.Getenv(crashTask))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if o.Unfinished || o.Outcome == Failed {
			t.Fatalf("%s: %+v", os.Getenv(crashTask), o)
		}
	}
}

// rehearsedUpgrade is the task of an upgrade with its rehearsal.
const rehearsedUpgrade = "rehearsed upgrade"

// task does what one invocation of the command does.
func (f *fitted) task(ctx context.Context, what string) ([]Outcome, error) {
	if what == "upgrade" || what == rehearsedUpgrade {
		return f.upgrade(ctx, "alpha")
	}
	entries, err := f.Journal.Unfinished()
	if err != nil {
		return nil, err
	}
	chosen := make([]*Entry, 0, len(entries))
	for i := range entries {
		chosen = append(chosen, &entries[i])
	}
	if what == "resume" {
		return f.Execute(ctx, chosen), nil
	}
	return f.RollBack(ctx, chosen), nil
}

// killedAt runs a task in another process and kills it at its n-th point. It returns where that was, or "" when the task had ended
// before.
func (w *world) killedAt(t *testing.T, folder, task string, n int) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$", "-test.count=1")
	c.Env = append(os.Environ(), crashFolder+"="+folder, crashWorld+"="+w.engine.Host()+" "+w.socket, crashPoint+"="+strconv.Itoa(n), crashTask+"="+task)
	out, err := c.CombinedOutput()
	if err == nil {
		return ""
	}
	exited, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exited.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed but ended with %v:\n%s", err, out)
	}
	_, where, _ := strings.Cut(string(out), "killed at: ")
	return strings.TrimSpace(where)
}

// TestKilledAtEveryPoint kills an upgrade at each of its steps, and before and after each of its effects, and then goes on, or back:
// the sandbox is there exactly once, as it was found, with all its files.
func TestKilledAtEveryPoint(t *testing.T) {
	for _, state := range []string{"running", "exited"} {
		for _, then := range []string{"resume", "rollback"} {
			t.Run(state+", then "+then, func(t *testing.T) {
				t.Parallel()
				points := 0
				for n := 1; ; n++ {
					if testing.Short() && n%5 != 1 {
						continue
					}
					where := killOnce(t, state, then, n)
					if where == "" {
						break
					}
					points++
				}
				if want := map[bool]int{true: 5, false: 25}[testing.Short()]; points < want {
					t.Errorf("only %d points were passed, want at least %d", points, want)
				}
			})
		}
	}
}

func killOnce(t *testing.T, state, then string, n int) (where string) {
	w := startWorld(t, state, "alpha")
	folder := t.TempDir()
	where = w.killedAt(t, folder, rehearsedUpgrade, n)
	f, err := fit(t.Context(), folder, w.engine.Host(), w.socket, nowhere)
	if err != nil {
		t.Fatalf("killed at %s: %v", where, err)
	}
	defer f.Journal.Close()
	outcomes, err := f.task(t.Context(), then)
	if err != nil {
		t.Fatalf("killed at %s, %s: %v", where, then, err)
	}
	for _, o := range outcomes {
		if o.Unfinished || o.Outcome == Failed {
			t.Errorf("killed at %s, %s: %+v", where, then, o)
		}
		t.Logf("killed at %s, %s: %s", where, then, o.Outcome)
	}
	c := w.settled(t, f, "alpha", state)
	if t.Failed() {
		t.Fatalf("killed at %s, then %s (%v)", where, then, w.log)
	}
	for _, o := range outcomes {
		if upgraded := c.ImageID == newImg; upgraded != (o.Outcome == Upgraded) {
			t.Fatalf("killed at %s, then %s: the outcome is %s and it runs from %s", where, then, o.Outcome, c.ImageID)
		}
	}
	return where
}

// TestKilledOnTheWayBack kills the rollback of an upgrade that was killed, at each of its points, and goes back again.
func TestKilledOnTheWayBack(t *testing.T) {
	for _, first := range []string{"after delete", "after create", "step restored"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			at := 0
			for n := 1; at == 0 && n < 100; n++ {
				w := startWorld(t, "running", "alpha")
				if w.killedAt(t, t.TempDir(), "upgrade", n) == first {
					at = n
				}
			}
			for n := 1; ; n++ {
				w := startWorld(t, "running", "alpha")
				folder := t.TempDir()
				if where := w.killedAt(t, folder, "upgrade", at); where != first {
					t.Fatalf("killed at %q, want %q", where, first)
				}
				where := w.killedAt(t, folder, "rollback", n)
				f, err := fit(t.Context(), folder, w.engine.Host(), w.socket, nowhere)
				if err != nil {
					t.Fatal(err)
				}
				outcomes, err := f.task(t.Context(), []string{"rollback", "resume"}[n%2])
				if err != nil {
					t.Fatal(err)
				}
				c := w.settled(t, f, "alpha", "running")
				if c.ImageID == newImg {
					t.Errorf("it runs from the new image after a rollback")
				}
				_ = f.Journal.Close()
				if t.Failed() {
					t.Fatalf("killed at %s, then on the way back at %s: %+v (%v)", first, where, outcomes, w.log)
				}
				if where == "" {
					break
				}
			}
		})
	}
}
