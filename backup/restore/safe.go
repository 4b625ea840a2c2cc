package restore

import (
	"archive/tar"
	"fmt"

	"sandkeeper/backup/archive"
)

// safeIndex refuses a backup with an entry that could lead a write out of the home, before anything is touched: a valid seal says
// who wrote a manifest as little as it says what for. The index was compared with the archive, entry by entry.
func safeIndex(entries []archive.Entry) error {
	kinds, files := map[string]byte{}, map[string]bool{}
	for _, e := range entries {
		h := &tar.Header{Name: archive.CleanName(e.Name()), Typeflag: typeFlag(e.Type)}
		if e.Type == archive.TypeWord(tar.TypeLink) {
			if !files[archive.CleanName(e.Link)] {
				return archive.Damagef(archive.DamageEntry, fmt.Sprintf("entry %q", e.Path), "a hard link to %q, which is not a file before it", e.Link)
			}
			h.Typeflag = tar.TypeReg
		}
		if err := safeEntry(h, kinds); err != nil {
			return err
		}
		kinds[h.Name] = typeFlag(e.Type)
		files[e.Path] = e.Type == archive.TypeWord(tar.TypeReg)
	}
	return nil
}

// typeFlag is the tar type of an index's word; one that nothing accepts for words that are none.
func typeFlag(word string) byte {
	for _, flag := range []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink} {
		if archive.TypeWord(flag) == word {
			return flag
		}
	}
	return tar.TypeBlock
}
