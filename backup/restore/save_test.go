package restore

import (
	"context"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
)

// save makes a backup of the home h of a sandbox, in which some paths are listed as left out.
func save(t *testing.T, s *store.Store, h home.Home, sandbox string, leftOut ...string) store.Backup {
	t.Helper()
	manifest := archive.Manifest{Sandbox: sandbox, Home: "/sandbox", Consistency: archive.ConsistencyStopped}
	b, err := s.Create(t.Context(), store.NewBackup{Manifest: manifest}, func(ctx context.Context, a *archive.Archive) error {
		for _, name := range leftOut {
			a.Omit(name, "credential file")
		}
		return home.Capture(ctx, h, a, 0, home.NewMeter(sandbox, nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
