package gatewaystate

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sandkeeper/gateway"
	"sandkeeper/internal/backuptest"
)

// When one file cannot be put in place, all of them are as they were.
func TestGatewayStateIsAllOrNothing(t *testing.T) {
	h := newGatewayHost(t)
	h.save(t, nil)
	_ = h.db.Close()
	h.put(t, ".config/openshell/gateway.toml", "new")
	target := filepath.Join(h.home, ".local/state/openshell/tls/ca.crt")
	second := func(context.Context) error {
		if _, err := os.Stat(target + ".sandkeeper-x"); err == nil {
			return nil
		}
		staged, _ := filepath.Glob(target + ".sandkeeper-*.new")
		for _, path := range staged {
			backuptest.Must(t, os.Remove(path)) // what was staged last is lost before it can be put in place
		}
		return nil
	}
	r, err := h.restore(t, nil, second)
	if err == nil || r.Done {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := h.read(t, ".config/openshell/gateway.toml"); got != "new" {
		t.Errorf("gateway.toml is %q after a restore that did not succeed", got)
	}
	if got := h.state(t); got != 0 {
		t.Errorf("the database has state %d", got)
	}
	if litter, _ := filepath.Glob(filepath.Join(h.home, ".config/openshell/*sandkeeper*")); len(litter) > 0 {
		t.Errorf("litter: %v", litter)
	}
}

func TestGatewayStateOfALiveDatabaseAndOfNone(t *testing.T) {
	h := newGatewayHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if _, err := h.db.Exec("UPDATE t SET n = n + 1"); err != nil {
				t.Errorf("the gateway was disturbed: %v", err)
				return
			}
		}
	})
	got := h.save(t, nil)
	cancel()
	wg.Wait()
	if got.Status != "backed_up" {
		t.Fatalf("got %+v", got)
	}
	_ = h.db.Close()
	if _, err := h.restore(t, nil, stopped); err != nil {
		t.Fatal(err)
	}
	h.state(t) // all rows are of one state

	backuptest.Must(t, os.WriteFile(filepath.Join(h.home, dbFolder, "openshell.db"), []byte(strings.Repeat("torn", 100)), 0o600))
	if got := h.save(t, nil); got.Status != "failed" || got.Backup == nil || !strings.Contains(got.Reason, "its database is not saved") {
		t.Errorf("a foreign database: %+v", got)
	}
	if got := h.save(t, func(s *Saving) { s.Places = nil }); got.Status != "skipped" || got.Reason == "" {
		t.Errorf("nothing there: %+v", got)
	}
	lock, err := h.store.Gateways().Lock("another")
	backuptest.Must(t, err)
	if got := h.save(t, nil); got.Status != "failed" || !strings.Contains(got.Reason, "locked") {
		t.Errorf("locked: %+v", got)
	}
	backuptest.Must(t, lock.Unlock())
}

func TestPlaceOfLeadsNowhereElse(t *testing.T) {
	places := []gateway.Place{{Name: "config", Path: "/home/op/.config/openshell", Tree: true}, {Name: "database/openshell.db", Path: "/db"}}
	for name, want := range map[string]string{
		"config/a/b": "/home/op/.config/openshell/a/b", "database/openshell.db": "/db",
		"config/../../../etc/passwd": "", "config": "", "config/": "", "database/other": "", "/etc/passwd": "", "configs/x": "",
	} {
		if got, _ := placeOf(places, name); got != want {
			t.Errorf("%q leads to %q, want %q", name, got, want)
		}
	}
}

// A gateway that died in the middle of a transaction left its database half written, with a journal. Both are saved as they lie, that
// is said, and both come back: then the transaction is not there, and the database is whole.
func TestGatewayStateOfAnUnfinishedTransaction(t *testing.T) {
	h := newGatewayHost(t)
	path := filepath.Join(h.home, dbFolder, "openshell.db")
	for _, statement := range []string{
		"PRAGMA journal_mode=DELETE", "PRAGMA cache_size=2", "DROP TABLE t", "CREATE TABLE t (n, filler)",
		"INSERT INTO t SELECT 5, zeroblob(3000) FROM (VALUES (1),(2),(3),(4),(5),(6),(7),(8))",
	} {
		_, err := h.db.Exec(statement)
		backuptest.Must(t, err)
	}
	tx, err := h.db.Begin()
	backuptest.Must(t, err)
	_, err = tx.Exec("UPDATE t SET n = 6, filler = zeroblob(2999)")
	backuptest.Must(t, err)
	half, journal := h.read(t, dbFolder+"/openshell.db"), h.read(t, dbFolder+"/openshell.db-journal")
	backuptest.Must(t, tx.Rollback())
	backuptest.Must(t, h.db.Close())
	h.put(t, dbFolder+"/openshell.db", half)
	h.put(t, dbFolder+"/openshell.db-journal", journal)

	got := h.save(t, nil)
	if got.Status != "backed_up" || len(got.Warnings) != 1 || !strings.HasPrefix(got.Warnings[0], path) {
		t.Fatalf("got %+v", got)
	}
	if h.read(t, dbFolder+"/openshell.db") != half || h.read(t, dbFolder+"/openshell.db-journal") != journal {
		t.Error("saving changed the gateway's files")
	}
	h.put(t, dbFolder+"/openshell.db", "lost")
	h.put(t, dbFolder+"/openshell.db-journal", "another journal")
	r, err := h.restore(t, nil, stopped)
	if err != nil || !slices.Contains(r.Restored, path+"-journal") {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := h.state(t); got != 5 {
		t.Errorf("the database has state %d, want 5", got)
	}
	if got := h.read(t, dbFolder+"/openshell.db.before-"+r.Backup+"-journal"); got != "another journal" {
		t.Errorf("the journal that was there is not kept: %s", got)
	}
}
