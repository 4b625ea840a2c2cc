package upgrade

import (
	"errors"
	"testing"

	"sandkeeper/backup"
	"sandkeeper/backup/store"
	"sandkeeper/preflight"
)

// A store without room refuses a sandbox of which it knows the size, unless the operator has said that he knows better.
func TestRoomThatTheOperatorSkipsIsNotAskedFor(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	if got, err := f.upgrade(t.Context(), "alpha"); err != nil || got[0].Outcome != Upgraded {
		t.Fatalf("upgrade = %+v, %v", got, err)
	}
	targets, err := f.targets(t.Context(), "alpha")
	if err != nil {
		t.Fatal(err)
	}
	full, err := store.Open(f.backups.Store.Root(), store.Options{Free: func(string) (int64, error) { return 10, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		skip []string
		fits bool
	}{{nil, false}, {[]string{preflight.CodeRoot}, false}, {[]string{preflight.CodeSpace}, true}} {
		content := &Backups{Store: full, Run: func() *backup.Options { return &backup.Options{SkippedChecks: c.skip} }}
		err := content.Check(t.Context(), targets[0].Sandbox)
		if _, short := errors.AsType[*store.SpaceError](err); short == c.fits {
			t.Errorf("with %q skipped: %v, want that it fits: %v", c.skip, err, c.fits)
		}
	}
}
