package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sandkeeper/internal/disk"
)

// Pack is a pack that is open to be read: the archive of a backup, or what is kept of it after the backup was removed.
type Pack struct {
	ID    string
	Path  string
	Table *Table
	file  *os.File
	data  io.ReaderAt // frames and table, without encryption; nil where it cannot be taken off
	names *naming
	note  *Note  // of an encrypted pack that is seen by who cannot read it
	name  string // for people
}

// Retired is the file, in the folder of a series, that keeps those blocks of a removed backup which others need.
func Retired(id string) string { return filepath.Join(RetiredFolder, id+".zst") }

// plainPaths are the files that may hold a pack in the folder of a series. What is kept of a removed backup comes
// first: a backup of the same id that was imported since has numbers of its own. It comes last again, for the pack may
// go there while we look.
func plainPaths(folder, id string) []string {
	kept := filepath.Join(folder, Retired(id))
	return []string{kept, filepath.Join(folder, id, ArchiveName), filepath.Join(folder, id, PackName), kept}
}

// Opener opens packs: which identities take the encryption off, and which key names the blocks. The zero value is for
// plain ones.
type Opener struct {
	Identities Identities
	Key        *StoreKey // nil: they are not encrypted
}

// Find opens the pack of that id in the folder of a series, for all but the backup of that id itself. What is wrong
// with it is a *DamageError that names it.
func (o Opener) Find(folder, id string) (*Pack, error) {
	if !ValidID(id) {
		return nil, Damagef(DamageIndex, id, "no pack can have that name")
	}
	paths, missing := sealedPaths, filepath.Join(id, EncryptedPackName)
	if o.Key == nil {
		paths, missing = plainPaths, filepath.Join(id, PackName)
	}
	for _, path := range paths(folder, id) {
		p, err := o.At(path, id)
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}

	return nil, Damagef(DamageArchiveMissing, missing, "it is missing, and what %s should keep of it too", RetiredFolder)
}

// At opens the pack in that file; fs.ErrNotExist when there is none.
func (o Opener) At(path, id string) (*Pack, error) {
	return o.open(path, id, filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)))
}

func (o Opener) open(path, id, object string) (*Pack, error) {
	f, err := disk.OpenPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, &DamageError{Kind: DamageArchiveMissing, Object: object, Err: err}
	}
	p := &Pack{ID: id, Path: path, file: f, data: f, names: o.Key.names(), name: object}
	info, err := f.Stat()
	var size int64
	if err == nil {
		size = info.Size()
	}
	if err == nil && o.Key != nil {
		p.data, size, err = o.Identities.openAt(f, size)
	}
	if errors.Is(err, ErrNoIdentity) {
		return nil, errors.Join(err, f.Close())
	}
	if err == nil {
		p.Table, err = ReadTable(p.data, size)
	}
	if err != nil {
		return nil, errors.Join(&DamageError{Kind: DamageTable, Object: object, Err: err}, f.Close())
	}
	return p, nil
}

// OpenNoted opens an encrypted pack as the host sees it that made it: by its note, which says what blocks there are,
// but not what is in them. fs.ErrNotExist says that it is of another key or for other recipients.
func OpenNoted(folder, id string, key *StoreKey, recipients []string) (*Pack, error) {
	note, path, err := FindNote(folder, id)
	if err != nil {
		return nil, err
	}
	if note.StoreKey != key.ID() || !SameRecipients(note.Recipients, recipients) {
		return nil, fs.ErrNotExist
	}
	p := &Pack{ID: id, Path: path, note: note, name: filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))}
	if p.Table, err = note.open(key); err != nil {
		return nil, err
	}
	if p.file, err = note.openFile(path); err != nil {
		return nil, err
	}
	return p, nil
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
	if err := readAt(p.data, buf, p.Table.starts[frame]); err != nil {
		return buf, p.Damage(frame, err)
	}
	if digestOf(buf) != f.Packed {
		return buf, p.Damage(frame, errors.New("its packed bytes have another digest"))
	}
	return buf, nil
}

// Prove reads the whole pack and gives the frames that are not what they were. Of an encrypted pack only the bytes as
// they lie on disk can be proven: all frames are what they were, or none is known to be.
func (p *Pack) Prove(ctx context.Context) map[int]bool {
	bad := map[int]bool{}
	noted := p.note == nil || p.note.proveFile(ctx, p.file) == nil
	var packed []byte
	for frame := range p.Table.Frames {
		if ctx.Err() != nil {
			return bad
		}
		err := error(nil)
		if p.note == nil {
			packed, err = p.Packed(frame, packed)
		}
		if err != nil || !noted {
			bad[frame] = true
		}
	}

	return bad
}

// Blocks gives each block of an unpacked frame, and stops at the first block that is not what its name says.
func (p *Pack) Blocks(frame int, raw []byte, visit func(i int, block []byte) error) error {
	first, end := p.Table.blocksOf(frame)
	for i := first; i < end; i++ {
		b := p.Table.Blocks[i]
		if p.names.of(raw[:b.Length]) != b.Name {
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
	by     Opener
	open   map[string]*Pack
	failed map[string]error
}

// PacksOf are the packs that the backup in dir needs, each to be opened when it is first asked for; the backup's index
// was read.
func PacksOf(dir string, m *Manifest, ids Identities) (*PackSet, error) {
	s := &PackSet{folder: filepath.Dir(dir), by: Opener{ids, m.Index.Key}, open: map[string]*Pack{}, failed: map[string]error{}}
	own, err := s.by.open(filepath.Join(dir, m.Archive.File), m.ID, m.Archive.File)
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
	p, err := s.by.Find(s.folder, id)
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
