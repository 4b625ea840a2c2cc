package store

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandkeeper/internal/disk"
)

// linkedStore is an empty store with folders outside of it, and links to them in it: "alpha", "_gateway" and "_migration".
func linkedStore(t *testing.T) (s *Store, outside string) {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(filepath.Join(dir, "backups"), Options{UID: os.Getuid()})
	if err != nil {
		t.Fatal(err)
	}
	outside = filepath.Join(dir, "outside")
	for _, made := range []string{s.root, filepath.Join(outside, "gw"), filepath.Join(outside, disk.StagingPrefix+"x")} {
		if err := os.MkdirAll(made, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"alpha", "_gateway", "_migration"} {
		if err := os.Symlink(outside, filepath.Join(s.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return s, outside
}

// TestNothingIsMadeBehindALink also where the folder behind it is there already.
func TestNothingIsMadeBehindALink(t *testing.T) {
	s, _ := linkedStore(t)
	for _, folder := range []string{"alpha", "alpha/gw", "alpha/gw/new", "_gateway/gw", "_gateway/gw/new"} {
		if err := s.makeFolder(filepath.Join(s.root, folder)); err == nil || !strings.Contains(err.Error(), "is a link") {
			t.Errorf("%s: %v", folder, err)
		}
	}
	if err := s.Gateways().makeFolder(filepath.Join(s.root, "_gateway", "gw")); err == nil {
		t.Error("the gateways' store makes a folder behind a link")
	}
}

// TestNothingIsSweptBehindALink: what looks like a leftover of a dead run is somebody else's there.
func TestNothingIsSweptBehindALink(t *testing.T) {
	s, outside := linkedStore(t)
	lock, err := s.Lock("test")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	if _, err := os.Stat(filepath.Join(outside, disk.StagingPrefix+"x")); err != nil || len(lock.Swept) > 0 {
		t.Errorf("it is gone: %v, %v", err, lock.Swept)
	}
}

// TestLinksAreNamedAndNotRead: what is behind a link is in no list, so that the links themselves are told.
func TestLinksAreNamedAndNotRead(t *testing.T) {
	s, outside := linkedStore(t)
	beta, id := filepath.Join(s.root, "beta"), "20260101T000000Z-abcd"
	if err := os.Mkdir(beta, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(beta, id)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Links()
	want := []string{filepath.Join(s.root, "_migration"), filepath.Join(s.root, "alpha"), filepath.Join(beta, id), filepath.Join(s.root, "_gateway")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Links = %q, %v, want %q", got, err, want)
	}
	if names, err := s.Gateways().Sandboxes(); err != nil || len(names) > 0 {
		t.Errorf("behind a link are the gateways %q, %v", names, err)
	}
}
