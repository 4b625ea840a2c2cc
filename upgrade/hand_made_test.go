package upgrade

import (
	"context"
	"strings"
	"testing"
	"time"

	"sandkeeper/lifecycle"
)

// refused is an upgrade of alpha that could go neither on nor back: the gateway creates nothing.
func refused(t *testing.T) (*world, *fitted) {
	t.Helper()
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	w.fails("create", "quota exceeded")
	if got, err := f.upgrade(t.Context(), "alpha"); err != nil || !got[0].Unfinished || got[0].Step != StepRecreating {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	w.fails("create", "")
	return w, f
}

// left is an upgrade that was killed at a step.
func left(at Step) func(*testing.T) (*world, *fitted) {
	return func(t *testing.T) (*world, *fitted) {
		t.Helper()
		w := startWorld(t, "running", "alpha")
		f := w.fit(t)
		f.killedAt(t, at)
		return w, f
	}
}

// TestWhatWasMadeByHandEndsTheUpgrade: somebody has put another sandbox in its place. It is left alone, and the upgrade ends, which says
// what holds the old one, and how its home gets into the sandbox that is there.
func TestWhatWasMadeByHandEndsTheUpgrade(t *testing.T) {
	for name, arrange := range map[string]func(*testing.T) (*world, *fitted){
		"stuck on the way back": refused, "deleted": left(StepDeleted), "settled": left(StepSettled), "restored": left(StepRestored),
	} {
		for _, then := range []string{"resume", "rollback"} {
			t.Run(name+", "+then, func(t *testing.T) {
				w, f := arrange(t)
				f.StoreFlags = " --backup-dir /mnt/b"
				for _, r := range w.listed() {
					w.gone(t, r.ID)
				}
				w.another(t)
				by := w.listed()[0].ID
				got, err := f.task(t.Context(), then)
				if err != nil || len(got) != 1 || got[0].Outcome != Failed || got[0].Unfinished {
					t.Fatalf("%s = %+v, %v", then, got, err)
				}
				for _, want := range []string{
					"with id " + by + ", which is left alone", "image " + got[0].RollbackImage + " holds its file system",
					"`sandkeeper restore alpha --backup " + got[0].Backup + " --backup-dir /mnt/b` puts that home into the sandbox",
				} {
					if !strings.Contains(got[0].Reason, want) {
						t.Errorf("the reason does not say %q: %s", want, got[0].Reason)
					}
				}
				if now := w.listed(); len(now) != 1 || now[0].ID != by || len(w.containers()) != 1 {
					t.Errorf("the sandbox that was made by hand became %+v", now)
				}
				if entries, err := f.Journal.Entries(); err != nil || len(entries) != 0 {
					t.Errorf("the journal still has %+v, %v", entries, err)
				}
			})
		}
	}
}

// TestWhatWasDeletedByHandIsMadeAgain: its backup and its image hold it, and the flag says which of the two is wanted.
func TestWhatWasDeletedByHandIsMadeAgain(t *testing.T) {
	for _, at := range []Step{StepCreated, StepSettled, StepRestoring, StepCompared} {
		for then, want := range map[string]OutcomeWord{"resume": Upgraded, "rollback": RolledBack} {
			t.Run(string(at)+", "+then, func(t *testing.T) {
				w, f := left(at)(t)
				for _, r := range w.listed() {
					w.gone(t, r.ID)
				}
				got, err := f.task(t.Context(), then)
				if err != nil || got[0].Outcome != want {
					t.Fatalf("%s = %+v, %v, want %s", then, got, err, want)
				}
				w.settled(t, f, "alpha", "running")
			})
		}
	}
}

// TestTheWayBackBeginsAnew where what it had brought back was deleted since, or is in Error, which no start leaves.
func TestTheWayBackBeginsAnew(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *world){
		"deleted": func(t *testing.T, w *world) { w.gone(t, w.listed()[0].ID) },
		"Error": func(_ *testing.T, w *world) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, b := range w.sandboxes {
				b.phases = []string{"Error"}
			}
		},
	} {
		for _, then := range []string{"resume", "rollback"} {
			t.Run(name+", "+then, func(t *testing.T) {
				w, f := refused(t)
				f.meanwhile(StepProving, func() { panic("killed") })
				if got, err := f.task(t.Context(), "rollback"); err != nil || !got[0].Unfinished {
					t.Fatalf("rollback = %+v, %v", got, err)
				}
				f.Progress = nil
				spoil(t, w)
				got, err := f.task(t.Context(), then)
				if err != nil || got[0].Outcome != RolledBack {
					t.Fatalf("%s = %+v, %v", then, got, err)
				}
				w.settled(t, f, "alpha", "running")
			})
		}
	}
}

// slow is a gateway that does not answer any more once it has shown a sandbox.
type slow struct {
	lifecycle.Driver
	looks *int
}

func (s slow) ListSandboxes(ctx context.Context) ([]lifecycle.Record, error) {
	if *s.looks++; *s.looks > 1 {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return []lifecycle.Record{{ID: "id-new", Name: "alpha", Phase: "Provisioning", Reason: "SupervisorNotConnected"}}, nil
}

// TestAWaitThatEndsSaysWhatWasSeen, not that the look which its own limit cut short saw nothing.
func TestAWaitThatEndsSaysWhatWasSeen(t *testing.T) {
	u := &Upgrader{ReadyLimit: 50 * time.Millisecond, Poll: time.Millisecond}
	j := &job{Upgrader: u, Entry: &Entry{Name: "alpha", NewID: "id-new"}, driver: slow{looks: new(int)}}
	err := j.waitReady(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not Ready within 50ms") || !strings.Contains(err.Error(), "SupervisorNotConnected") {
		t.Errorf("waitReady = %v", err)
	}
}
