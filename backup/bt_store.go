package backup

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// contentOf reads a backup back as test entries.
func contentOf(t *testing.T, s *Store, b Backup) []entry {
	t.Helper()
	r, err := s.Open(t.Context(), b, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var entries []entry
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
		entries = append(entries, entry{name: cleanName(h.Name), body: string(body), link: h.Linkname, kind: h.Typeflag, mode: h.Mode, uid: h.Uid})
	}
}

// settled is what a home made of entries looks like when it is read back.
func settled(entries []entry) []entry {
	var want []entry
	byName := map[string]entry{}
	for _, e := range entries {
		h := e.header()
		e.kind, e.mode = h.Typeflag, h.Mode
		if e.kind == tar.TypeLink {
			e.mode, e.uid = byName[e.link].mode, byName[e.link].uid
		}
		byName[e.name] = e
		want = append(want, e)
	}
	return want
}

// newStore is a store in a folder of its own.
func newStore(t testing.TB, o StoreOptions) *Store {
	t.Helper()
	o.UID = os.Getuid()
	s, err := OpenStore(filepath.Join(t.TempDir(), "store"), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// leastBackup is the least that a backup of sandbox needs.
func leastBackup(sandbox string) NewBackup {
	return NewBackup{Manifest: Manifest{Sandbox: sandbox, Home: "/sandbox", Consistency: ConsistencyStopped}}
}
