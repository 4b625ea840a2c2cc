package backup

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/internal/backuptest"
)

func TestConnectionCutInTheMiddle(t *testing.T) {
	real := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, real, true, nil)
	backuptest.BigHome(t, real, sb)
	w := backuptest.NewWire(t, real)
	r := realRun(t, w.Engine(t))
	r.EngineWay = true
	r.Progress = func(e home.Event) {
		if e.Stage == home.StageReading && e.Bytes == 0 {
			w.Arm(20<<20, false)
		}
	}
	summary, err := r.All(t.Context(), backuptest.InventoryOf(sb))
	if err != nil || summary.Totals.Failed != 1 || !strings.Contains(summary.Sandboxes[0].Reason, "broke off") {
		t.Errorf("%+v, %v", summary.Sandboxes, err)
	}
	backuptest.AssertRunning(t, real, sb, true)
	assertJournalEmpty(t, r)
	if found, err := r.Store.Backups(sb.Name); err != nil || len(found) != 0 {
		t.Errorf("a half backup is visible: %v, %v", found, err)
	}
}

// The engine keeps a container locked while it is read, so that it cannot be unpaused before the read is given up.
func TestPauseLimitInTheMiddleOfARead(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	backuptest.BigHome(t, e, sb)
	r := realRun(t, e)
	r.PauseLimit = 100 * time.Millisecond
	b := backedUp(t, r, sb)
	if m := b.Manifest; m.Consistency != archive.ConsistencyLive || !strings.Contains(m.ConsistencyReason, "100ms") || m.Content.Bytes != 150<<20 {
		t.Errorf("consistency %q, %q, %d bytes", m.Consistency, m.ConsistencyReason, m.Content.Bytes)
	}
	backuptest.AssertRunning(t, e, sb, true)
	assertJournalEmpty(t, r)
}

func TestInterruptInTheMiddleOfARead(t *testing.T) {
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	backuptest.BigHome(t, e, sb)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("Ctrl-C")
	r := realRun(t, e)
	r.Progress = func(e home.Event) {
		if e.Stage == home.StageReading && e.Bytes > 0 {
			cancel(reason)
		}
	}
	summary, err := r.All(ctx, backuptest.InventoryOf(sb))
	if !errors.Is(err, reason) || summary.Totals.Failed != 1 {
		t.Errorf("%+v, %v", summary.Totals, err)
	}
	backuptest.AssertRunning(t, e, sb, true)
	assertJournalEmpty(t, r)
}
