package upgrade

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandkeeper/internal/env"
)

// byNemoClaw runs the upgrade of alpha with a NemoClaw.
func (f *fitted) byNemoClaw(t *testing.T, n Rebuilder) (ready []*Entry, refused []Outcome) {
	t.Helper()
	f.NemoClaw = n
	targets, err := f.targets(t.Context(), "alpha")
	if err != nil {
		t.Fatal(err)
	}
	targets[0].Way = ByNemoClaw
	ready, refused, err = f.Preconditions(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	return ready, refused
}

// TestNothingIsDoneBesideARebuildThatGoesOn: an upgrade was killed, and the nemoclaw that it had started works on. Taken back now, the
// sandbox would be deleted afterwards by that, with nothing left to bring it home.
func TestNothingIsDoneBesideARebuildThatGoesOn(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("SKIPPED: this system has no /proc")
	}
	for _, then := range []string{"resume", "rollback"} {
		w := startWorld(t, "running", "alpha")
		f := w.fit(t)
		nemoclaw := exec.Command("/bin/sleep", "60")
		nemoclaw.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		r := &rebuilding{}
		r.do = func(context.Context) {
			nemoclaw.Env = []string{rebuildMark + r.log}
			if err := nemoclaw.Start(); err != nil {
				t.Error(err)
			}
			panic("killed")
		}
		ready, _ := f.byNemoClaw(t, r)
		if got := f.Execute(t.Context(), ready)[0]; !got.Unfinished || got.Step != StepRebuilding {
			t.Fatalf("Execute = %+v", got)
		}
		got, err := f.task(t.Context(), then)
		if err != nil || !got[0].Unfinished || !strings.Contains(got[0].Reason, "nemoclaw is still rebuilding it: process ") {
			t.Errorf("%s = %+v, %v, want that nothing is done yet", then, got, err)
		}
		if _, kept := w.engine.Committed(ready[0].RollbackImage); !kept {
			t.Errorf("%s has dropped the rollback image", then)
		}
		_ = nemoclaw.Process.Kill()
		_ = nemoclaw.Wait()
		f.NemoClaw = &rebuilding{exit: 1}
		got, err = f.task(t.Context(), then)
		if err != nil || got[0].Unfinished || strings.Contains(got[0].Reason, "still rebuilding") {
			t.Errorf("%s, when it has ended = %+v, %v", then, got, err)
		}
		w.settled(t, f, "alpha", "running")
	}
}

// TestRebuildProcess finds nemoclaw while it runs, and nothing that it leaves behind.
func TestRebuildProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("SKIPPED: this system has no /proc")
	}
	dir := t.TempDir()
	left := filepath.Join(dir, "pid")
	path := nemoclawScript(t, `[ "$1" = --help ] && { echo rebuild; exit 0; }
setsid /bin/sleep 30 </dev/null >/dev/null 2>&1 & echo $! > `+left+`
while [ ! -e `+dir+`/end ]; do /bin/sleep 0.02; done`)
	n, err := FindRebuild(t.Context(), env.Parse([]string{"PATH=/bin:/usr/bin", "HOME=" + dir}), os.Geteuid(), path)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	ended := make(chan error, 1)
	go func() {
		_, err := n.Rebuild(t.Context(), "alpha", log)
		ended <- err
	}()
	pid := 0
	for range 500 {
		if pid = rebuildProcess(log); pid != 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if pid == 0 || rebuildProcess(log+"2") != 0 {
		t.Errorf("the rebuild is process %d, that of another log %d", pid, rebuildProcess(log+"2"))
	}
	if err := os.WriteFile(filepath.Join(dir, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if pid := rebuildProcess(log); pid != 0 {
		t.Errorf("process %d is taken for the rebuild, which has ended", pid)
	}
	content, _ := os.ReadFile(left)
	_ = exec.Command("kill", strings.TrimSpace(string(content))).Run()
}

// TestWhatNemoClawLeavesBehindIsSaid: it carries over the agent's state alone.
func TestWhatNemoClawLeavesBehindIsSaid(t *testing.T) {
	for lost, want := range map[string]string{"/sandbox/notes.md": `"notes.md"`, "": ""} {
		w := startWorld(t, "running", "alpha")
		f := w.fit(t)
		ready, _ := f.byNemoClaw(t, &rebuilding{do: w.replace(t, without(homeDir(), lost))})
		got := f.Execute(t.Context(), ready)[0]
		said := strings.Join(got.Warnings, "\n")
		if got.Outcome != Upgraded || strings.Contains(said, "carries over") != (want != "") || !strings.Contains(said, want) {
			t.Errorf("without %q: %+v, want %q among the warnings", lost, got, want)
		}
		if want != "" && !strings.Contains(said, "in backup "+got.Backup) {
			t.Errorf("warnings = %q", said)
		}
	}
}

// TestASilentNemoClawIsNotPassedBy: what it manages is rebuilt by nobody else.
func TestASilentNemoClawIsNotPassedBy(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	ready, refused := f.byNemoClaw(t, SilentNemoClaw{Err: errors.New("no answer within 15s")})
	if len(ready) != 0 || len(refused) != 1 || refused[0].Problems[0].Code != NeedNemoClaw || !strings.Contains(refused[0].Reason, "no answer within 15s") {
		t.Errorf("Preconditions = %+v, %+v", ready, refused)
	}
	if exit, err := (SilentNemoClaw{Err: errors.New("no answer")}).Rebuild(t.Context(), "alpha", ""); exit != -1 || err == nil {
		t.Errorf("Rebuild = %d, %v", exit, err)
	}
}
