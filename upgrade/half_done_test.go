package upgrade

import (
	"errors"
	"testing"

	"sandkeeper/sandbox"
)

// TestAHalfDoneHomeIsNoBackup asks while the journal's owner is at work, as backup-all does.
func TestAHalfDoneHomeIsNoBackup(t *testing.T) {
	fresh, old := sandbox.Sandbox{Name: "alpha", Gateway: "gw", ID: "new"}, sandbox.Sandbox{Name: "alpha", Gateway: "gw", ID: "old"}
	for name, c := range map[string]struct {
		step   Step
		doomed bool
		sb     sandbox.Sandbox
		half   bool
	}{
		"made anew and empty":              {StepCreated, true, fresh, true},
		"being restored":                   {StepRestoring, true, fresh, true},
		"restored and not compared":        {StepRestored, true, fresh, true},
		"going back":                       {StepRecreated, true, fresh, true},
		"no gateway was seen":              {StepCreated, true, sandbox.Sandbox{Name: "alpha", ID: "new"}, true},
		"compared":                         {StepCompared, true, fresh, false},
		"the old one is still there":       {StepDeleting, true, old, false},
		"nothing was deleted":              {StepBackedUp, false, old, false},
		"another sandbox":                  {StepCreated, true, sandbox.Sandbox{Name: "beta", Gateway: "gw", ID: "b"}, false},
		"the same name on another gateway": {StepCreated, true, sandbox.Sandbox{Name: "alpha", Gateway: "other", ID: "x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			e := &Entry{Run: "run1", Name: "alpha", Gateway: "gw", OldID: "old", Backup: "b1", DeleteRequested: c.doomed}
			if err := journalIn(t, dir).Enter(e, c.step); err != nil {
				t.Fatal(err)
			}
			err := HalfDone(dir, c.sb)
			if half, ok := errors.AsType[*HalfDoneError](err); ok != c.half || (err != nil) != c.half || ok && half.Backup != "b1" {
				t.Errorf("HalfDone = %v, want one: %v", err, c.half)
			}
		})
	}
	if err := HalfDone(t.TempDir(), fresh); err != nil {
		t.Errorf("without a journal: %v", err)
	}
}
