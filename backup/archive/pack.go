package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sandkeeper/internal/disk"
)

// Pack is a pack that is open to be read: the archive of a backup, or what is kept of it after the backup was removed.
type Pack struct {
	ID    string
	Path  string
	Size  int64
	Table *Table
	file  *os.File
	name  string // for people
}

// Retired is the file, in the folder of a series, that keeps those blocks of a removed backup which others need.
func Retired(id string) string { return filepath.Join(RetiredFolder, id+".zst") }

// packPaths are the places of a pack in the folder of a series. What is kept of a removed backup comes first: a backup of the same id that
// was imported since has numbers of its own. It comes last again, for the pack may go there while we look.
func packPaths(id string) []string {
	return []string{Retired(id), filepath.Join(id, ArchiveName), filepath.Join(id, PackName), Retired(id)}
}

// OpenPack opens the pack of that id in the folder of a series, for all but the backup of that id itself. What is wrong with it is a *DamageError that names it.
func OpenPack(folder, id string) (*Pack, error) {
	if !ValidID(id) {
		return nil, Damagef(DamageIndex, id, "no pack can have that name")
	}
	for _, rel := range packPaths(id) {
		p, err := OpenPackAt(filepath.Join(folder, rel), id)
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	return nil, Damagef(DamageArchiveMissing, filepath.Join(id, PackName), "it is missing, and %s too", Retired(id))
}

// OpenPackAt opens the pack in that file; fs.ErrNotExist when there is none.
func OpenPackAt(path, id string) (*Pack, error) {
	return openPack(path, id, filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)))
}

func openPack(path, id, object string) (*Pack, error) {
	f, err := disk.OpenPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, &DamageError{Kind: DamageArchiveMissing, Object: object, Err: err}
	}
	info, err := f.Stat()
	if err == nil {
		p := &Pack{ID: id, Path: path, Size: info.Size(), file: f, name: object}
		if p.Table, err = ReadTable(f, info.Size()); err == nil {
			return p, nil
		}
	}
	return nil, errors.Join(&DamageError{Kind: DamageTable, Object: object, Err: err}, f.Close())
}

// Object names the pack for people: by its file, and by its folder too unless it is that of the backup which is read.
func (p *Pack) Object() string { return p.name }

// Close ends the reading.
func (p *Pack) Close() error { return p.file.Close() }

// Packed reads a frame as it lies in the pack, into buf, which grows as needed, and proves it.
func (p *Pack) Packed(frame int, buf []byte) ([]byte, error) {
	f := p.Table.Frames[frame]
	if int64(cap(buf)) < f.Size {
		buf = make([]byte, f.Size)
	}
	buf = buf[:f.Size]
	if _, err := p.file.ReadAt(buf, p.Table.starts[frame]); err != nil {
		return buf, p.Damage(frame, err)
	}
	if digestOf(buf) != f.Packed {
		return buf, p.Damage(frame, errors.New("its packed bytes have another digest"))
	}
	return buf, nil
}

// Blocks gives each block of an unpacked frame, and stops at the first block that is not what its name says.
func (p *Pack) Blocks(frame int, raw []byte, visit func(i int, block []byte) error) error {
	first, end := p.Table.blocksOf(frame)
	for i := first; i < end; i++ {
		b := p.Table.Blocks[i]
		if NameOf(raw[:b.Length]) != b.Name {
			return p.Damage(frame, fmt.Errorf("block %d has another digest", b.Number))
		}
		if err := visit(i, raw[:b.Length]); err != nil {
			return err
		}
		raw = raw[b.Length:]
	}
	return nil
}

// Damage says that a frame is not what it was, and what was seen.
func (p *Pack) Damage(frame int, err error) error {
	return &DamageError{Kind: DamageFrame, Object: fmt.Sprintf("%s, frame %d", p.Object(), frame), Err: err}
}

// PackSet are the packs of one series that are open.
type PackSet struct {
	folder string
	open   map[string]*Pack
	failed map[string]error
}

// OpenPacks prepares to read the packs in the folder of a series, each when it is first asked for.
func OpenPacks(folder string) *PackSet {
	return &PackSet{folder: folder, open: map[string]*Pack{}, failed: map[string]error{}}
}

// PacksOf are the packs that the backup in dir needs.
func PacksOf(dir string, m *Manifest) (*PackSet, error) {
	s := OpenPacks(filepath.Dir(dir))
	own, err := openPack(filepath.Join(dir, m.Archive.File), m.ID, m.Archive.File)
	if errors.Is(err, fs.ErrNotExist) {
		err = Damagef(DamageArchiveMissing, m.Archive.File, "it is missing")
	}
	if err != nil {
		return nil, err
	}
	s.open[m.ID] = own
	return s, nil
}

// Get is the pack of that id.
func (s *PackSet) Get(id string) (*Pack, error) {
	if p := s.open[id]; p != nil {
		return p, nil
	}
	if err := s.failed[id]; err != nil {
		return nil, err
	}
	p, err := OpenPack(s.folder, id)
	if err != nil {
		s.failed[id] = err
		return nil, err
	}
	s.open[id] = p
	return p, nil
}

// Place is the pack of a run and where in its table the run begins.
func (s *PackSet) Place(r Run) (*Pack, int, error) {
	p, err := s.Get(r.Pack)
	if err != nil {
		return nil, 0, err
	}
	at, found := p.Table.index(r)
	if !found {
		return nil, 0, Damagef(DamageIndex, p.Object(), "it has not the blocks %d to %d", r.From, int64(r.From)+int64(r.Count)-1)
	}
	return p, at, nil
}

// Close ends the reading of all.
func (s *PackSet) Close() error {
	var errs []error
	for _, p := range s.open {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
