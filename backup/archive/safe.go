package archive

import (
	"archive/tar"
	"fmt"
	"path"
)

// safeEntries refuses a backup with an entry that could lead a write out of the home, before anything is touched: a
// valid seal says who wrote a manifest as little as it says what for. The index is compared with the archive, entry by
// entry.
type safeEntries struct {
	kinds *Kinds
	odd   *Kinds // by the spelling that links have, of names that are not UTF-8
}

func (s *safeEntries) check(e Entry) error {
	h := &tar.Header{Name: CleanName(e.Name()), Typeflag: typeFlag(e.Type)}
	if e.Type == TypeWord(tar.TypeLink) {
		to := CleanName(e.Link)
		kind, _ := s.kinds.Of(to)
		odd, _ := s.odd.Of(to)
		if kind != tar.TypeReg && odd != tar.TypeReg {
			return Damagef(DamageEntry, fmt.Sprintf("entry %q", e.Path), "a hard link to %q, which is not a file before it", e.Link)
		}
		h.Typeflag = tar.TypeReg
	}

	if err := SafeEntry(h, s.kinds); err != nil {
		return err
	}
	s.kinds.Set(h.Name, typeFlag(e.Type))
	if e.Raw != nil {
		s.odd.Set(e.Path, typeFlag(e.Type))
	}
	return nil
}

// typeFlag is the tar type of an index's word; for an unknown word a type that nothing accepts.
func typeFlag(word string) byte {
	for _, flag := range []byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink} {
		if TypeWord(flag) == word {
			return flag
		}
	}
	return tar.TypeBlock
}

// SafeEntry refuses an entry that could lead a write out of a home: an odd name, a home that is itself no folder, an
// entry below something that is no folder, a hard link to anything but a file that came before. kinds are the entries
// before it, by name, and gets nothing added.
func SafeEntry(h *tar.Header, kinds *Kinds) error {
	object := fmt.Sprintf("entry %q", Printable(h.Name))
	if why := OddName(h.Name); why != "" {
		return Damagef(DamageEntry, object, "%s", why)
	}
	if _, why := StoredType(h.Typeflag); why != "" {
		return Damagef(DamageEntry, object, "%s", why)
	}
	if h.Name == "." && h.Typeflag != tar.TypeDir {
		return Damagef(DamageEntry, object, "the home itself is a %s, not a folder", TypeWord(h.Typeflag))
	}
	if _, twice := kinds.Of(h.Name); twice {
		return Damagef(DamageEntry, object, "it is there twice")
	}
	for at := path.Dir(h.Name); at != "."; at = path.Dir(at) {
		if kind, found := kinds.Of(at); found && kind != tar.TypeDir {
			return Damagef(DamageEntry, object, "%q above it is not a folder", Printable(at))
		}
	}

	if h.Typeflag == tar.TypeLink {
		h.Linkname = CleanName(h.Linkname)
		if kind, _ := kinds.Of(h.Linkname); kind != tar.TypeReg {
			return Damagef(DamageEntry, object, "a hard link to %q, which is not a file before it", Printable(h.Linkname))
		}
	}

	return nil
}
