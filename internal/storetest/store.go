// Package storetest has what tests share that need a store of backups.
package storetest

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
)

// ContentOf reads a backup back as test entries.
func ContentOf(t *testing.T, s *store.Store, b store.Backup) []backuptest.Entry {
	t.Helper()
	r, err := s.Open(t.Context(), b, archive.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var entries []backuptest.Entry
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, backuptest.Entry{Name: archive.CleanName(h.Name), Body: string(body), Link: h.Linkname, Kind: h.Typeflag, Mode: h.Mode, Uid: h.Uid})
	}
}

// Settled is what a home made of entries looks like when it is read back.
func Settled(entries []backuptest.Entry) []backuptest.Entry {
	var want []backuptest.Entry
	byName := map[string]backuptest.Entry{}
	for _, e := range entries {
		h := e.Header()
		e.Kind, e.Mode = h.Typeflag, h.Mode
		if e.Kind == tar.TypeLink {
			e.Mode, e.Uid = byName[e.Link].Mode, byName[e.Link].Uid
		}
		byName[e.Name] = e
		want = append(want, e)
	}
	return want
}

// NewStore is a store in a folder of its own.
func NewStore(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	o.UID = os.Getuid()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// LeastBackup is the least that a backup of sandbox needs.
func LeastBackup(sandbox string) store.NewBackup {
	return store.NewBackup{Manifest: archive.Manifest{Sandbox: sandbox, Home: "/sandbox", Consistency: archive.ConsistencyStopped}}
}
