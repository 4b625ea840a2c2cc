package store

import (
	"archive/tar"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
)

// lies makes changes to one entry of an index, each by what it is about.
func lies() map[string]func(*archive.Entry) {
	return map[string]func(*archive.Entry){
		"path": func(e *archive.Entry) { e.Path = strings.Replace(e.Path, "wanted", "seemly", 1) },
		"mode": func(e *archive.Entry) { e.Mode &^= 0o4000 },
		"link": func(e *archive.Entry) { e.Link = strings.Replace(e.Link, "/etc", "docs", 1) },
		"kind": func(e *archive.Entry) { e.Type = strings.Replace(e.Type, "symlink", "dir", 1) },
	}
}

// disguised is a backup whose blocks are in order, and whose index says something else of one of its entries than tar reads in them.
func disguised(t *testing.T, s *Store, change func(*archive.Entry)) Backup {
	t.Helper()
	b := unjudged(t, s, dirHeader("."), tar.Header{Typeflag: tar.TypeReg, Name: "wanted", Size: 3, Mode: 0o4755}, linkHeader(tar.TypeSymlink, "away", "/etc"))
	forged := partsOf(t, b).forged(t, func(m *archive.Manifest) {
		for i := range m.Index.Entries {
			change(&m.Index.Entries[i])
		}
	})
	err := errors.Join(os.WriteFile(filepath.Join(b.Dir, archive.ManifestName), []byte(forged.manifest), 0o600),
		os.WriteFile(filepath.Join(b.Dir, archive.IndexName), []byte(forged.index), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Promise: verify refuses what restore, import and the script refuse: an entry that the index lists otherwise than tar reads it, in a first
// backup and in one of blocks, on the way of one backup and on that of many.
func TestVerifyComparesEntriesWithTheIndex(t *testing.T) {
	for about, change := range lies() {
		for _, later := range []bool{false, true} {
			s := testStore(t, Options{})
			if later {
				create(t, s, newOf("alpha"), folderItem("."), fileItem("first", bulk(1, 3)))
			}
			b := disguised(t, s, change)
			for _, o := range []VerifyOptions{{ReadData: true}, {ReadData: true, Proofs: Proofs{}}} {
				_, err := s.VerifyWith(t.Context(), b, o)
				if damage, told := errors.AsType[*archive.DamageError](err); !told || damage.Kind != archive.DamageEntry && damage.Kind != archive.DamageIndex {
					t.Errorf("%s, later %v, with proofs %v: %v", about, later, o.Proofs != nil, err)
				}
			}
		}
	}
}

// What is as it says passes, also where its blocks were proven for another backup.
func TestVerifyPassesWhatItsIndexSays(t *testing.T) {
	s, proofs := testStore(t, Options{}), Proofs{}
	for i := range 3 {
		create(t, s, newOf("alpha"), append(sampleHome(), fileItem("more", bulk(uint64(i), 2)), fileItem("last", "x"))...)
	}
	list, err := s.Backups("alpha")
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	for _, b := range append(list, list...) {
		if v, err := s.VerifyWith(t.Context(), b, VerifyOptions{ReadData: true, Proofs: proofs}); err != nil || v.Entries == 0 {
			t.Errorf("%s: %+v, %v", b.ID, v, err)
		}
	}
}
