package backup

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
)

// Nor is one called paused or stopped whom others had paused or stopped, and have unpaused or started in the middle.
func TestReadOfWhatOthersHaveMovedIsLive(t *testing.T) {
	for before, want := range map[string]struct {
		stays  archive.Consistency
		reason string
	}{
		"paused": {archive.ConsistencyPaused, "unpaused it while it was read"},
		"exited": {archive.ConsistencyStopped, "started it while it was read"},
	} {
		for _, moves := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, moves %v", before, moves), func(t *testing.T) {
				f := backuptest.NewFakeEngine()
				sb := f.Add(backuptest.IdA, before, backuptest.Entry{Name: "a", Body: "1"})
				if moves {
					f.Broken.Read = func(id string) error { f.State[id] = "running"; return nil }
				}
				consistency, why := consistencyOf(*sb.Container)
				read := &reading{home: home.ContainerHome{Engine: f, ID: backuptest.IdA, Dir: "/sandbox"}, container: *sb.Container, stall: archive.StallLimit(time.Minute), meter: home.NewMeter(sb.Name, nil)}
				w := &run{Options: fakeRun(t, f)}
				made, err := w.create(t.Context(), archive.Manifest{Sandbox: sb.Name, Consistency: consistency, ConsistencyReason: why}, read.meter, read)
				if err != nil {
					t.Fatal(err)
				}
				got := made.backup.Manifest
				if !moves && (got.Consistency != want.stays || got.ConsistencyReason != why) {
					t.Errorf("left alone: %q, %q", got.Consistency, got.ConsistencyReason)
				}
				if moves && (got.Consistency != archive.ConsistencyLive || !strings.Contains(got.ConsistencyReason, want.reason)) {
					t.Errorf("moved: %q, %q", got.Consistency, got.ConsistencyReason)
				}
			})
		}
	}
}

// A sandbox that somebody unpaused while it was read is not called paused.
func TestReadThatDidNotStayPausedIsLive(t *testing.T) {
	f := backuptest.NewFakeEngine()
	sb := f.Add(backuptest.IdA, "running", backuptest.Entry{Name: "a", Body: "1"})
	f.Broken.Read = func(id string) error {
		f.State[id] = "running"
		return nil
	}
	w := &run{Options: fakeRun(t, f)}
	shelf := journal.Pauses(journal.PausedDir(t.TempDir()))
	guard, err := home.StartGuard([]string{"guard", shelf.Dir()}, env.Parse(os.Environ()))
	if err != nil {
		t.Fatal(err)
	}
	p := &home.Pauser{Engine: f, Host: f.Host(), Shelf: shelf, Guard: guard, Limit: time.Minute, Now: time.Now}
	save := func() *archive.Manifest {
		t.Helper()
		m := home.NewMeter(sb.Name, nil)
		read := &reading{home: home.ContainerHome{Engine: f, ID: backuptest.IdA, Dir: "/sandbox"}, container: *sb.Container, stall: archive.StallLimit(time.Minute), meter: m, pauser: p, limit: time.Minute}
		made, err := w.create(t.Context(), archive.Manifest{Sandbox: sb.Name, Consistency: archive.ConsistencyPaused}, m, read)
		if err != nil {
			t.Fatal(err)
		}
		return made.backup.Manifest
	}
	if m := save(); m.Consistency != archive.ConsistencyLive || !strings.Contains(m.ConsistencyReason, "unpaused it while it was read") {
		t.Errorf("consistency %q, %q", m.Consistency, m.ConsistencyReason)
	}
	f.Broken.Read = nil
	if m := save(); m.Consistency != archive.ConsistencyPaused || m.ConsistencyReason != "" {
		t.Errorf("left alone: consistency %q, %q", m.Consistency, m.ConsistencyReason)
	}
	if there := journaltest.Values(t, shelf); len(there) != 0 {
		t.Errorf("the shelf has %v", there)
	}
}
