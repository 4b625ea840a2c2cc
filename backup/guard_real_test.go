package backup

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/env"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
	"sandkeeper/sandbox"
)

// startVictim starts a run in a process of its own and waits until it is in stage stay.
func startVictim(t *testing.T, dir, root string, sb sandbox.Sandbox, stay home.Stage) *exec.Cmd {
	t.Helper()
	child := exec.Command("/proc/self/exe", "victim", dir, root, sb.Container.ID, string(stay))
	child.Env = os.Environ()
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != string(stay) {
		_ = child.Process.Kill()
		t.Fatalf("the run said %q, %v", line, err)
	}
	return child
}

// thawTime is how soon a container must go on after its run was killed. The promise is a second, on a machine that has time for it; one
// that is not freed by the guard stays paused for good.
const thawTime = 20 * time.Second

// waitFor waits until the container is as wanted and the journal is empty; how long that took is the measure.
func waitFor(t *testing.T, e *engine.Engine, sb sandbox.Sandbox, journalDir string) time.Duration {
	t.Helper()
	start := time.Now()
	for time.Since(start) < time.Minute {
		c, err := e.Inspect(t.Context(), sb.Container.ID)
		if err == nil && c.State == "running" {
			freed := time.Since(start)
			for time.Since(start) < 2*time.Minute {
				if len(journaltest.Values(t, journal.Pauses(journalDir))) == 0 {
					return freed
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Fatal("the journal still names the container")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the container is not running again after a minute")
	return 0
}

func TestKilledRunLeavesNothingPausedAndNoHalfBackup(t *testing.T) {
	e := backuptest.RealEngine(t)
	for _, stage := range []home.Stage{home.StagePausing, home.StageReading, home.StageCommitting, home.StageVerifying} {
		t.Run(string(stage), func(t *testing.T) {
			sb := backuptest.RealSandbox(t, e, true, nil)
			backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
			dir := t.TempDir()
			journalDir, root := journal.PausedDir(dir), filepath.Join(dir, "store")
			child := startVictim(t, journalDir, root, sb, stage)
			if stage == home.StageReading {
				assertPaused(t, e, sb, journalDir)
			}
			if err := syscall.Kill(-child.Process.Pid, syscall.SIGKILL); err != nil { // the whole group: the guard is in its own
				t.Fatal(err)
			}
			_ = child.Wait()
			if took := waitFor(t, e, sb, journalDir); took > thawTime {
				t.Errorf("the container was paused for %s after the run was killed", took)
			}
			assertNextRunIsFine(t, e, sb, root, stage == home.StageVerifying)
		})
	}
}

func assertPaused(t *testing.T, e *engine.Engine, sb sandbox.Sandbox, journalDir string) {
	t.Helper()
	c, err := e.Inspect(t.Context(), sb.Container.ID)
	if err != nil || !c.Paused() {
		t.Fatalf("while it is read the container is %q, %v", c.State, err)
	}
	shelf := journal.Pauses(journalDir)
	there := journaltest.Values(t, shelf)
	if len(there) != 1 || there[0].Container != sb.Container.ID || there[0].Engine == "" || there[0].Created.IsZero() {
		t.Fatalf("the shelf has %+v", there)
	}
	info, err := os.Stat(shelf.Path(sb.Container.ID))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("journal entry: %v, %v", info, err)
	}
}

func assertNextRunIsFine(t *testing.T, e *engine.Engine, sb sandbox.Sandbox, root string, whole bool) {
	t.Helper()
	store, err := store.Open(root, store.Options{UID: os.Getuid()})
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.Backups(sb.Name)
	if err != nil || len(found) != map[bool]int{true: 1}[whole] {
		t.Errorf("after the kill there are %d backups, %v", len(found), err)
	}
	r := realRun(t, e)
	r.Store = store
	b := backedUp(t, r, sb)
	if err := store.Verify(t.Context(), b, true); err != nil {
		t.Error(err)
	}
	leftovers, err := filepath.Glob(filepath.Join(root, sb.Name, disk.StagingPrefix+"*"))
	if err != nil || len(leftovers) != 0 {
		t.Errorf("leftovers %q, %v", leftovers, err)
	}
}

func TestInterruptedRunUnpausesItself(t *testing.T) {
	e := backuptest.RealEngine(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		sb := backuptest.RealSandbox(t, e, true, nil)
		backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
		dir := t.TempDir()
		child := startVictim(t, journal.PausedDir(dir), filepath.Join(dir, "store"), sb, home.StageReading)
		if err := child.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		if code := child.ProcessState.ExitCode(); code != 130 {
			t.Errorf("%s: exit %d", sig, code)
		}
		backuptest.AssertRunning(t, e, sb, true)
		if there := journaltest.Values(t, journal.Pauses(journal.PausedDir(dir))); len(there) != 0 {
			t.Errorf("%s: the shelf has %v", sig, there)
		}
	}
}

// A run that is stopped, as by Ctrl-Z, keeps its sandbox paused for the pause limit only; its record stays its own. Once it goes on it
// reads live.
func TestStoppedRunKeepsNothingPaused(t *testing.T) {
	e := backuptest.RealEngine(t)
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGTSTP} {
		sb := backuptest.RealSandbox(t, e, true, nil)
		backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
		dir := t.TempDir()
		t.Setenv("VICTIM_PAUSE_LIMIT", "2s")
		child := startVictim(t, journal.PausedDir(dir), filepath.Join(dir, "store"), sb, home.StageReading)
		assertPaused(t, e, sb, journal.PausedDir(dir))
		if err := child.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for !isRunning(t, e, sb) {
			if time.Since(began) > thawTime {
				t.Fatalf("%s: the container is still paused after %s", sig, thawTime)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if _, left := home.Recover(t.Context(), journal.Pauses(journal.PausedDir(dir)), home.Dialer(env.Parse(os.Environ()))); len(left) != 1 {
			t.Errorf("%s: the record of a run that is stopped is not left to it: %v", sig, left)
		}
		if err := syscall.Kill(-child.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		waitFor(t, e, sb, journal.PausedDir(dir))
	}
}

func isRunning(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) bool {
	t.Helper()
	c, err := e.Inspect(t.Context(), sb.Container.ID)
	return err == nil && c.State == "running"
}

// Both the run and its guard are gone, as after a power cut that the containers survived.
func TestRecoverUnpausesWhatADeadRunLeft(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	shelf := journal.Pauses(journal.PausedDir(t.TempDir()))
	identity, err := e.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := sb.Container
	journaltest.Leave(t, shelf, c.ID, journal.Pause{Container: c.ID, Created: c.Created, Name: c.Name, Engine: identity, Host: e.Host(), At: time.Now()})
	if err := e.Pause(t.Context(), sb.Container.ID); err != nil {
		t.Fatal(err)
	}
	found, left := home.Recover(t.Context(), shelf, home.Dialer(env.Parse(os.Environ())))
	if len(left) != 0 || len(found) != 1 || !found[0].Unpaused || found[0].Err != nil || found[0].Pause.Name != sb.Container.Name {
		t.Fatalf("got %+v, %v", found, left)
	}
	backuptest.AssertRunning(t, e, sb, true)
	if found, left := home.Recover(t.Context(), shelf, home.Dialer(env.Parse(os.Environ()))); len(left)+len(found) != 0 {
		t.Errorf("a second time: %+v, %v", found, left)
	}
}

func TestPauseLimitGoesOnLive(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
	r := realRun(t, e)
	r.PauseLimit = 300 * time.Millisecond
	slow := 0
	r.Progress = func(event home.Event) {
		if event.Stage == home.StageReading && slow == 0 {
			slow++
			time.Sleep(500 * time.Millisecond)
		}
	}
	b := backedUp(t, r, sb)
	if m := b.Manifest; m.Consistency != archive.ConsistencyLive || !strings.Contains(m.ConsistencyReason, "300ms") {
		t.Errorf("consistency %q, %q", m.Consistency, m.ConsistencyReason)
	}
	backuptest.AssertRunning(t, e, sb, true)
	assertJournalEmpty(t, r)
}

func TestContainerPausedBySomebodyElseStaysPaused(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	if err := e.Pause(t.Context(), sb.Container.ID); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Unpause(context.Background(), sb.Container.ID) })
	r := realRun(t, e)
	b := backedUp(t, r, sb)
	c, err := e.Inspect(t.Context(), sb.Container.ID)
	if err != nil || !c.Paused() || b.Manifest.Consistency != archive.ConsistencyPaused {
		t.Errorf("container %q, consistency %q, %v", c.State, b.Manifest.Consistency, err)
	}
	if _, err := os.Stat(r.Pauses.Dir()); err == nil {
		t.Error("somebody else's pause was journalled")
	}
}

func TestRunWithoutGuardReadsLiveAndSaysSo(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	r := realRun(t, e)
	r.Guard = nil
	summary, err := r.All(t.Context(), backuptest.InventoryOf(sb))
	if err != nil || len(summary.Warnings) != 1 || summary.Sandboxes[0].Backup.Consistency != archive.ConsistencyLive {
		t.Errorf("got %+v, %v", summary, err)
	}
}
