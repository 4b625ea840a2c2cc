package store

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
)

// schema1 is a store as version 0.9 wrote it: two backups with the same content, in whole archives.
func schema1(t *testing.T) (*Store, []Backup) {
	t.Helper()
	s := testStore(t, Options{Tool: "0.9.0"})
	if err := os.CopyFS(s.Root(), os.DirFS(filepath.Join("testdata", "schema1"))); err != nil {
		t.Fatal(err)
	}
	list, err := s.Backups("alpha")
	if err != nil || len(list) != 2 {
		t.Fatalf("listed %v, %v", list, err)
	}
	return s, list
}

func TestStoresOfSchema1AreListedVerifiedReadAndPruned(t *testing.T) {
	s, list := schema1(t)
	for _, b := range list {
		assertContent(t, s, b, sampleHome())
	}
	made := create(t, s, newOf("alpha"), sampleHome()...)
	if !made.Manifest.SelfContained() {
		t.Error("blocks of an archive without a table were relied on")
	}
	for _, b := range list {
		if err := s.Remove(t.Context(), b, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := collected(t, s); err != nil {
		t.Error(err)
	}
	assertContent(t, s, made, sampleHome())
	if next := create(t, s, newOf("alpha"), sampleHome()...); next.Manifest.Blocks.Added != 0 {
		t.Errorf("the backup after it stored %+v", next.Manifest.Blocks)
	}
}

func TestArchivesOfSchema1AreExportedAndImported(t *testing.T) {
	s, list := schema1(t)
	to := testStore(t, Options{})
	got, err := to.Import(t.Context(), bytes.NewReader(exported(t, s, list[0])), nil)
	if err != nil {
		t.Fatal(err)
	}
	assertContent(t, to, got, sampleHome())

	p, folder := partsOf(t, list[0]), "alpha/"+list[0].ID
	for name, change := range map[string]func(*archive.Manifest){
		"huge frame":      func(m *archive.Manifest) { m.Index.Frames[0].Raw = 1 << 50 },
		"negative frames": func(m *archive.Manifest) { m.Index.Frames[0].Size = -1 },
		"no index":        func(m *archive.Manifest) { m.Index = nil },
		"entry's mode":    func(m *archive.Manifest) { m.Index.Entries[2].Mode = 0o4755 },
		"content digest":  func(m *archive.Manifest) { m.Content.Digest = strings.Repeat("0", 64) },
		"digest of all":   func(m *archive.Manifest) { m.Archive.SHA256 = strings.Repeat("0", 64) },
		"link's target": func(m *archive.Manifest) {
			at := slices.IndexFunc(m.Index.Entries, func(e archive.Entry) bool { return e.Name() == "notes/soft" })
			m.Index.Entries[at].Link = "/etc/shadow"
		},
		"one entry more": func(m *archive.Manifest) {
			more := m.Index.Entries[1]
			more.Path = "zz"
			m.Index.Entries, m.Content.Entries = append(m.Index.Entries, more), m.Content.Entries+1
		},
		"frame's digest": func(m *archive.Manifest) {
			m.Index.Frames[0].Digest = strings.Repeat("0", 32)
			m.Content.Digest = archive.ContentDigest(m.Index.Frames)
		},
	} {
		assertRefused(t, name, p.forged(t, change).tar(t, folder))
	}
}
