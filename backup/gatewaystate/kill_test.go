package gatewaystate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/store"
	"sandkeeper/gateway"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
)

// gatewayOrder tells a process of its own to put a gateway's state back, or to take back what a killed one left, and when to kill itself.
type gatewayOrder struct {
	Root, Backup, Journal string
	Places                []gateway.Place
	Recover               bool
	Step                  int // the change before which it kills itself; 0: none
}

func gatewayVictim(o gatewayOrder) error {
	step := backuptest.DieAt(o.Step)
	if o.Recover {
		var problems []error
		for record, err := range journal.StateRestores(o.Journal).Abandoned() {
			if err == nil {
				err = stateFiles{record.Value}.rollBack(step)
			}
			problems = append(problems, err)
		}
		return errors.Join(problems...)
	}
	store, err := store.Open(o.Root, store.Options{UID: os.Getuid()})
	if err != nil {
		return err
	}
	b, err := store.Gateways().Find("nemoclaw", o.Backup)
	if err != nil {
		return err
	}
	_, err = Restore(context.Background(), Restoring{Store: store, Backup: b, Places: o.Places, Stopped: stopped, Journal: o.Journal, step: step})
	return err
}

// changedGateway is a host whose gateway's state was saved and changed since: some files differ, and a folder is gone with all that is in it.
func changedGateway(t *testing.T) (gatewayHost, gatewayOrder) {
	t.Helper()
	h := newGatewayHost(t)
	h.save(t, nil)
	_ = h.db.Close()
	h.put(t, ".config/openshell/gateway.toml", "new")
	h.put(t, dbFolder+"/openshell.db-journal", "left by a crash")
	h.put(t, dbFolder+"/openshell.db", "another database")
	backuptest.Must(t, os.RemoveAll(filepath.Join(h.home, ".local/state/openshell")))
	b, err := h.store.Gateways().Find("nemoclaw", store.Latest)
	backuptest.Must(t, err)
	return h, gatewayOrder{Root: h.store.Root(), Backup: b.ID, Journal: filepath.Join(t.TempDir(), "restoring"), Places: h.places}
}

// files is everything in the host's home but for the backups.
func (h gatewayHost) files(t *testing.T) map[string]string {
	t.Helper()
	found := backuptest.Contents(t, h.home)
	for name := range found {
		if strings.HasPrefix(name, "backups/") {
			delete(found, name)
		}
	}
	return found
}

// kill -9 before every change of a file that a restore of a gateway's state makes, and before every change that taking it back makes
// after that: what is there afterwards is old to the last file, with nothing beside it, or new.
func TestKillGatewayRestoreAtEveryStep(t *testing.T) {
	seen := map[string]int{}
	for step := 1; ; step++ {
		h, order := changedGateway(t)
		before := h.files(t)
		order.Step = step
		died := backuptest.Killed(t, "gateway-restore", order)
		order.Recover = true
		for order.Step = 1; died && backuptest.Killed(t, "gateway-restore", order); order.Step++ { // each is killed one step later than the one before
		}
		shelf := journal.StateRestores(order.Journal)
		found, named := Recover(t.Context(), shelf, func(context.Context, string) error { return nil })
		if len(named) != 0 || len(found) > 1 || len(found) == 1 && found[0].Err != nil {
			t.Fatalf("step %d: %+v, %v", step, found, named)
		}
		if diff := cmp.Diff(before, h.files(t)); diff == "" {
			seen["old"]++
		} else if h.read(t, ".config/openshell/gateway.toml") != "new" && h.state(t) == 0 && h.read(t, ".local/state/openshell/tls/ca.crt") == "CERTIFICATE" {
			seen["new"]++
		} else {
			t.Fatalf("step %d: neither old nor new (-old +now):\n%s", step, diff)
		}
		if left := journaltest.Values(t, shelf); len(left) != 0 {
			t.Fatalf("step %d: the shelf has %+v", step, left)
		}
		if !died {
			break
		}
	}
	if seen["old"] < 15 || seen["new"] != 1 {
		t.Errorf("after the kills the state was: %v", seen)
	}
}

// A gateway that was started on the half is not disturbed; once it is stopped what it has written since is kept beside.
func TestKilledGatewayRestoreUnderARunningGateway(t *testing.T) {
	h, order := changedGateway(t)
	before := h.files(t)
	order.Step = 18 // some files are in place
	if !backuptest.Killed(t, "gateway-restore", order) {
		t.Fatal("the restore was not killed")
	}
	running := func(context.Context, string) error { return errors.New("it runs as process 7") }
	half := h.files(t)
	shelf := journal.StateRestores(order.Journal)
	found, named := Recover(t.Context(), shelf, running)
	if len(named) != 0 || len(found) != 1 || found[0].Err == nil || !cmp.Equal(half, h.files(t)) {
		t.Fatalf("%+v, %v", found, named)
	}
	entry := stateFiles{found[0].StateRestore}
	moved := ""
	for _, path := range entry.Files {
		if waits, _ := exists(entry.fresh(path)); !waits {
			moved = path
		}
	}
	backuptest.Must(t, os.WriteFile(moved, []byte("written by the gateway"), 0o600))
	coarse := entry.At.Add(-4 * time.Millisecond) // a file system's clock may be behind
	backuptest.Must(t, os.Chtimes(moved, coarse, coarse))
	found, named = Recover(t.Context(), shelf, func(context.Context, string) error { return nil })
	if len(named) != 0 || len(found) != 1 || found[0].Err != nil {
		t.Fatalf("%+v, %v", found, named)
	}
	later, err := filepath.Rel(h.home, entry.later(moved))
	backuptest.Must(t, err)
	before[later] = "written by the gateway"
	if diff := cmp.Diff(before, h.files(t)); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
}

// What a gateway wrote beside its old database, whose turn had not come, is that database's.
func TestKilledGatewayRestoreLeavesTheLogOfAnOldDatabase(t *testing.T) {
	for step := 1; step < 20; step++ {
		h, order := changedGateway(t)
		order.Step = step
		if !backuptest.Killed(t, "gateway-restore", order) {
			t.Fatalf("step %d: the restore was not killed", step)
		}
		shelf := journal.StateRestores(order.Journal)
		entries := journaltest.Values(t, shelf)
		db, log := dbFolder+"/openshell.db", dbFolder+"/openshell.db-wal"
		if len(entries) != 1 || !entries[0].Placing || h.read(t, db) != "another database" {
			continue
		}
		h.put(t, log, "committed since")
		if _, named := Recover(t.Context(), shelf, func(context.Context, string) error { return nil }); len(named) != 0 {
			t.Fatal(named)
		}
		if h.read(t, db) != "another database" || h.read(t, log) != "committed since" {
			t.Fatalf("step %d: %q", step, h.files(t))
		}
		return
	}
	t.Fatal("no kill hit the files between the first and the database")
}

// A restore of a gateway's state that is under way is neither taken back nor taken over from.
func TestLivingGatewayRestoreIsLeftAlone(t *testing.T) {
	h, order := changedGateway(t)
	order.Step = 12 // some files are in place
	if !backuptest.Killed(t, "gateway-restore", order) {
		t.Fatal("the restore was not killed")
	}
	shelf := journal.StateRestores(order.Journal)
	record, err := shelf.Own(t.Context(), journal.Key("nemoclaw", "")) // as if it were alive
	backuptest.Must(t, err)
	half := h.files(t)
	found, named := Recover(t.Context(), shelf, func(context.Context, string) error { return nil })
	if _, held := errors.AsType[*journal.HeldError](errors.Join(named...)); !held || len(found) != 0 || !cmp.Equal(half, h.files(t)) {
		t.Errorf("%+v, %v: %s", found, named, cmp.Diff(half, h.files(t)))
	}
	order.Step = 0
	err = gatewayVictim(order)
	if _, held := errors.AsType[*journal.HeldError](err); !held || !cmp.Equal(half, h.files(t)) {
		t.Errorf("a second restore: %v: %s", err, cmp.Diff(half, h.files(t)))
	}
	backuptest.Must(t, record.Close())
	if found, named := Recover(t.Context(), shelf, func(context.Context, string) error { return nil }); len(found) != 1 || found[0].Err != nil || len(named) != 0 {
		t.Errorf("once its run is dead: %+v, %v", found, named)
	}
}
