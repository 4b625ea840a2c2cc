package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
	"sandkeeper/internal/storetest"
	"sandkeeper/sandbox"
)

// onHost is an engine in memory that says where the writable layer of its containers is.
type onHost struct {
	*backuptest.FakeEngine
	upper string
}

func (o onHost) OnHost(context.Context, string) (engine.OnHost, error) {
	return engine.OnHost{Upper: o.upper}, nil
}

// turnable is an exchange of a stopped container that is prepared and not made: "old" is in its home, "new" in the stage.
func turnable(t *testing.T) (*exchange, onHost) {
	t.Helper()
	layer := t.TempDir()
	f := onHost{backuptest.NewFakeEngine(), filepath.Join(layer, "diff")}
	f.Add(backuptest.IdA, "exited")
	x := &exchange{containerPlace: &containerPlace{home.ContainerHome{Engine: f, ID: backuptest.IdA, Dir: "/sandbox"}}}
	x.plan = journal.Exchange{Upper: f.upper, Stage: filepath.Join(layer, journal.ExchangePrefix+"x"), Before: []byte(`{"sandbox":"box","home":"/sandbox"}`)}
	for dir, name := range map[string]string{filepath.Join(f.upper, "sandbox"): "old", staged(x.plan, stagedHome): "new", staged(x.plan, stagedNone): ""} {
		backuptest.Must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
	}
	backuptest.Must(t, x.prepare())
	return x, f
}

// box is a restore into the sandbox of that name, whose gateway cannot be asked.
func box() *restoreJob { return &restoreJob{Request: Request{Target: sandbox.Sandbox{Name: "box"}}} }

// homeOf names what is in the home: "old" or "new".
func homeOf(t *testing.T, x *exchange) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(x.plan.Upper, "sandbox"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("in the home: %v, %v", entries, err)
	}
	return entries[0].Name()
}

// TestADiskThatFailsAfterTheExchangeCostsNoHome: the homes have changed places then, so that what lies in the stage is the only old one.
func TestADiskThatFailsAfterTheExchangeCostsNoHome(t *testing.T) {
	errDisk := errors.New("input/output error")
	x, _ := turnable(t)
	x.sync = func(*os.File) error { return errDisk }
	j := &restoreJob{manifest: &archive.Manifest{}, pick: &selection{roots: []string{"."}}, meter: home.NewMeter("box", nil)}
	if err := x.whileStopped(t.Context(), j, engine.Container{}, &restoreMark{}); !errors.Is(err, errDisk) || !x.done || homeOf(t, x) != "new" {
		t.Errorf("the exchange: %v, done %v, %s", err, x.done, homeOf(t, x))
	}
	if err := x.turn(); !errors.Is(err, errDisk) || x.done || homeOf(t, x) != "old" {
		t.Errorf("and back: %v, done %v, %s", err, x.done, homeOf(t, x))
	}
}

// TestHomesDoNotChangePlacesUnderAMountedLayer: an engine that says "stopped" is not believed while the kernel still shows the container's files.
func TestHomesDoNotChangePlacesUnderAMountedLayer(t *testing.T) {
	asRoot(t)
	x, _ := turnable(t)
	lower, work, at := t.TempDir(), filepath.Join(filepath.Dir(x.plan.Upper), "work"), t.TempDir()
	backuptest.Must(t, os.Mkdir(work, 0o700))
	layers := "lowerdir=" + lower + ",upperdir=" + x.plan.Upper + ",workdir=" + work
	if err := unix.Mount("overlay", at, "overlay", 0, layers); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	defer func() { _ = unix.Unmount(at, unix.MNT_DETACH) }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // one look, instead of many
	j := &restoreJob{manifest: &archive.Manifest{}, pick: &selection{roots: []string{"."}}, meter: home.NewMeter("box", nil)}
	err := x.whileStopped(ctx, j, engine.Container{}, &restoreMark{})
	if err == nil || !strings.Contains(err.Error(), at) || x.done || homeOf(t, x) != "old" {
		t.Errorf("still mounted: %v, done %v, %s", err, x.done, homeOf(t, x))
	}
	backuptest.Must(t, unix.Unmount(at, 0))
	if err := x.whileStopped(t.Context(), j, engine.Container{}, &restoreMark{}); err != nil || !x.done || homeOf(t, x) != "new" {
		t.Errorf("mounted no more: %v, done %v, %s", err, x.done, homeOf(t, x))
	}
}

// TestOnlyItsGatewayStopsAPair: one of two containers that was started during the exchange is not stopped by the engine. Its homes stay as they
// are until the operator has stopped it; any other container is stopped, and gets its old home back.
func TestOnlyItsGatewayStopsAPair(t *testing.T) {
	for role, want := range map[string]struct {
		calls []string
		home  string
	}{"": {[]string{"stop aa"}, "old"}, "sandbox": {nil, "new"}} {
		x, f := turnable(t)
		f.Role = role
		backuptest.Must(t, x.turn())
		f.State[backuptest.IdA], f.Calls = "running", nil
		err := x.undisturbed(t.Context(), box(), &restoreMark{})
		if diff := cmp.Diff(want.calls, f.Calls); diff != "" || homeOf(t, x) != want.home {
			t.Errorf("role %q: the home is %s, %v, calls (-want +got)\n%s", role, homeOf(t, x), err, diff)
		}
		pair := role != ""
		if x.lost != pair || x.done != pair || errors.Is(err, ErrPutBack) == pair || strings.Contains(err.Error(), "openshell sandbox stop box") != pair {
			t.Errorf("role %q: lost %v, done %v, %v", role, x.lost, x.done, err)
		}
	}
}

// TestWhoInterruptsAnExchangeIsNotBlamedOnOthers: an interrupt just after it puts everything back, and nobody is said to have started anything.
func TestWhoInterruptsAnExchangeIsNotBlamedOnOthers(t *testing.T) {
	x, f := turnable(t)
	backuptest.Must(t, x.turn())
	f.Calls = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x.Engine = impatient{f}
	err := x.undisturbed(ctx, box(), &restoreMark{})
	if !errors.Is(err, ErrPutBack) || strings.Contains(err.Error(), "started") || len(f.Calls) > 0 || homeOf(t, x) != "old" {
		t.Errorf("%v, calls %q, the home is %s", err, f.Calls, homeOf(t, x))
	}
}

// impatient is an engine that answers nobody who has given up.
type impatient struct{ onHost }

func (i impatient) Inspect(ctx context.Context, id string) (engine.Container, error) {
	if ctx.Err() != nil {
		return engine.Container{}, ctx.Err()
	}
	return i.onHost.Inspect(ctx, id)
}

// endKilled is what the next run does of an exchange whose restore was killed. It gives the entries of the backup that was made of the old home.
func endKilled(t *testing.T, x *exchange, f home.EngineReach) (made bool, kept []string) {
	t.Helper()
	s := storetest.NewStore(t, store.Options{})
	keep := func(_ string, save func(*store.Store) error) error { return save(s) }
	c, err := f.Inspect(t.Context(), backuptest.IdA)
	backuptest.Must(t, err)
	made, err = finishExchange(t.Context(), f, c, journal.Restore{Sandbox: "box", Home: "/sandbox", Exchange: &x.plan}, keep)
	backuptest.Must(t, err)
	if _, err := os.Lstat(x.plan.Stage); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stage is left: %v", err)
	}
	all, err := s.Backups("box")
	backuptest.Must(t, err)
	for _, b := range all {
		m, err := s.Load(b, nil)
		backuptest.Must(t, err)
		for e := range m.Index.All(&err) {
			kept = append(kept, e.Name())
		}
		backuptest.Must(t, err)
	}
	return made, kept
}

// TestAHomeThatWasMovedAwaySinceIsStillKeptFromBefore: the sandbox may do with its new home what it wants, the old one becomes a backup.
func TestAHomeThatWasMovedAwaySinceIsStillKeptFromBefore(t *testing.T) {
	asRoot(t)
	x, f := turnable(t)
	backuptest.Must(t, x.turn())
	backuptest.Must(t, os.Rename(filepath.Join(f.upper, "sandbox"), filepath.Join(f.upper, "elsewhere")))
	if made, kept := endKilled(t, x, f); !made || cmp.Diff([]string{".", "old"}, kept) != "" {
		t.Errorf("made %v, kept %q", made, kept)
	}
}

// TestAHalfRemovedHomeIsNoBackup: a restore that was killed while it removed what it had kept leaves a part of the old home.
func TestAHalfRemovedHomeIsNoBackup(t *testing.T) {
	asRoot(t)
	x, f := turnable(t)
	backuptest.Must(t, x.turn())
	busy := filepath.Join(staged(x.plan, stagedHome), "old")
	if err := unix.Mount("tmpfs", busy, "tmpfs", 0, ""); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	unmount := func() error { return unix.Unmount(filepath.Join(staged(x.plan, stagedGone), "old"), unix.MNT_DETACH) }
	if err := removeStage(x.plan); err == nil {
		t.Fatal("it was removed with a mount in it")
	}
	if err := unmount(); err != nil {
		t.Fatal(errors.Join(err, unix.Unmount(busy, unix.MNT_DETACH)))
	}
	if made, kept := endKilled(t, x, f); !made || len(kept) > 0 {
		t.Errorf("made %v, kept %q", made, kept)
	}
}

// TestTheOldHomeStaysUntilItIsABackup: where the backup of it cannot be made, the restore is done all the same; the record tells the next run of the
// old home, and that makes the backup.
func TestTheOldHomeStaysUntilItIsABackup(t *testing.T) {
	asRoot(t)
	x, f := turnable(t)
	_, request := savedFake(t, "exited")
	request.Target.Name, request.Keep, request.Journal = "box", storetest.NewStore(t, store.Options{}), filepath.Join(t.TempDir(), "restoring")
	root := request.Keep.Root()
	backuptest.Must(t, os.RemoveAll(root))
	backuptest.Must(t, os.WriteFile(root, nil, 0o600)) // it cannot be written, whoever asks
	manifest, err := request.sound()
	backuptest.Must(t, err)
	j := &restoreJob{Request: request, manifest: manifest, pick: &selection{roots: []string{"."}}, meter: home.NewMeter("box", nil), summary: Summary{Home: "/sandbox"}}
	c, err := f.Inspect(t.Context(), backuptest.IdA)
	backuptest.Must(t, err)
	mark, err := j.mark(t.Context(), c, f)
	backuptest.Must(t, err)
	err = errors.Join(x.run(t.Context(), j, c, mark), mark.end())
	if err == nil || !strings.Contains(err.Error(), x.plan.Stage) || !j.summary.Done {
		t.Fatalf("%+v, %v", j.summary, err)
	}
	left := journaltest.Values(t, journal.Restores(request.Journal))
	if len(left) != 1 || left[0].Exchange == nil || left[0].Exchange.Stage != x.plan.Stage {
		t.Fatalf("the record of it: %+v", left)
	}
	x.plan = *left[0].Exchange
	if made, kept := endKilled(t, x, f); !made || cmp.Diff([]string{".", "old"}, kept) != "" {
		t.Errorf("made %v, kept %q", made, kept)
	}
}

// TestTheOldHomeStaysUnderAContainerThatRunsOnIt: one that was started before the exchange may have files of the old home open. One that was started
// after it has the new home.
func TestTheOldHomeStaysUnderAContainerThatRunsOnIt(t *testing.T) {
	asRoot(t)
	for _, state := range []string{"running", "paused"} {
		x, f := turnable(t)
		backuptest.Must(t, x.turn())
		c := engine.Container{ID: backuptest.IdA, Name: "box", State: state, Started: x.plan.At.Add(-time.Second)}
		entry := journal.Restore{Sandbox: "box", Home: "/sandbox", Exchange: &x.plan}
		made, err := finishExchange(t.Context(), f, c, entry, func(string, func(*store.Store) error) error {
			t.Errorf("%s: the old home was read", state)
			return nil
		})
		if made || err == nil || !strings.Contains(err.Error(), "stop it first") {
			t.Errorf("%s: made %v, %v", state, made, err)
		}
		if _, err := os.Stat(filepath.Join(staged(x.plan, stagedHome), "old")); err != nil {
			t.Errorf("%s: the old home is gone: %v", state, err)
		}
		c.Started = x.plan.At.Add(time.Second)
		s := storetest.NewStore(t, store.Options{})
		made, err = finishExchange(t.Context(), f, c, entry, func(_ string, save func(*store.Store) error) error { return save(s) })
		if all, listed := s.Backups("box"); !made || err != nil || listed != nil || len(all) != 1 {
			t.Errorf("%s, started since: made %v, %v, backups %v, %v", state, made, err, all, listed)
		}
	}
}
