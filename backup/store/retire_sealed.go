package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// keptPack is an encrypted pack in the folder of a series.
type keptPack struct {
	folder string
	id     string
	note   *archive.Note
	path   string
}

// find looks for the pack and its note.
func (k *keptPack) find() (err error) {
	k.note, k.path, err = archive.FindNote(k.folder, k.id)
	return err
}

// dir is the folder of retired packs.
func (k *keptPack) dir() string { return filepath.Join(k.folder, archive.RetiredFolder) }

// retireSealed is retire for an encrypted pack: the pack first, then its note, which is the promise. Only who can read
// what the others need can make it smaller.
func (s *Store) retireSealed(ctx context.Context, b Backup, need needs) error {
	k := keptPack{folder: filepath.Dir(b.Dir), id: b.ID}
	if k.find() != nil {
		return s.keepUnnoted(b)
	}
	if done, err := s.shrinkSealed(ctx, k, need); done || err != nil {
		return err
	}
	if err := s.keepAs(k.path, filepath.Join(k.folder, archive.RetiredSealed(b.ID, k.note.SHA256))); err != nil {
		return err
	}
	return s.keepAs(filepath.Join(b.Dir, archive.NoteName), filepath.Join(k.folder, archive.RetiredNote(b.ID)))
}

// keepUnnoted keeps an encrypted pack whose note is damaged: whoever can open it finds it, and nothing new relies on
// it.
func (s *Store) keepUnnoted(b Backup) error {
	from, err := findPack(b.Dir)
	if err != nil || from == "" {
		return err
	}
	return s.keepAs(from, filepath.Join(filepath.Dir(b.Dir), archive.RetiredSealed(b.ID, strings.Repeat("0", 2*sha256.Size))))
}

// shrinkSealed writes what is needed of an encrypted pack anew, if that is less than half of it and can be told.
func (s *Store) shrinkSealed(ctx context.Context, k keptPack, need needs) (done bool, err error) {
	key := need.keys[k.id]
	if need.all || need.whole[k.id] || key == nil {
		return false, nil
	}
	pack, err := archive.Opener{Identities: need.ids, Key: key}.At(k.path, k.id)
	if err != nil {
		return false, nil // it is damaged: it stays as it is
	}
	defer pack.Close()
	alive := archive.AliveIn(pack, need.runs[k.id])
	if 2*alive.Bytes >= alive.Total {
		return false, nil
	}
	r := rewrite{keptPack: k, key: key, from: pack, alive: alive}
	err = r.run(ctx, s.disk)
	if mayStay(err) {
		return false, nil
	}
	return err == nil, err
}

// rewrite is a new pack of what is needed of another, encrypted to the same recipients.
type rewrite struct {
	keptPack

	key   *archive.StoreKey
	from  *archive.Pack
	alive archive.Alive
}

// run writes the pack under its own name, and then the note: until that names it, the pack is not used.
func (r *rewrite) run(ctx context.Context, d disk.FS) error {
	part := archive.RetiredSealed(r.id, "beingrewritten..")
	file, table, err := r.write(ctx, d, filepath.Base(part))
	if err != nil {
		return err
	}
	if err := d.Rename(filepath.Join(r.folder, part), filepath.Join(r.folder, archive.RetiredSealed(r.id, file.SHA256))); err != nil {
		return err
	}
	if err := d.SyncDir(r.dir()); err != nil {
		return err
	}
	text, err := archive.NoteOf(r.id, file, r.note.Recipients, r.key, table)
	if err != nil {
		return err
	}
	return disk.ReplaceFile(d, r.dir(), filepath.Base(archive.RetiredNote(r.id)), text)
}

func (r *rewrite) write(ctx context.Context, d disk.FS, name string) (file archive.ArchiveFile, table []byte, err error) {
	seal, err := archive.SealTo(r.note.Recipients)
	if err != nil {
		return file, nil, err
	}
	err = disk.StreamFile(d, r.dir(), name, func(w io.Writer) error {
		sum := summed{to: w, sum: sha256.New()}
		out, err := seal.Writer(&sum)
		if err != nil {
			return err
		}
		if table, err = archive.Repack(ctx, r.from, r.alive, out); err != nil {
			return err
		}
		err = out.Close()
		file = archive.ArchiveFile{Bytes: sum.size, SHA256: hex.EncodeToString(sum.sum.Sum(nil))}
		return err
	})
	return file, table, err
}

// summed takes the digest and the length of what passes.
type summed struct {
	to   io.Writer
	sum  hash.Hash
	size int64
}

// Write writes on.
func (s *summed) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.sum.Write(p[:n])
	s.size += int64(n)
	return n, err
}

// collectSealed frees what no backup needs of an encrypted pack, whose files in the folder of retired packs these are.
func (s *Store) collectSealed(ctx context.Context, k keptPack, files []string, need needs) error {
	if !need.of(k.id) {
		err := disk.IgnoreMissing(s.disk.Remove(filepath.Join(k.folder, archive.RetiredNote(k.id))))
		return errors.Join(err, s.removeBut(k.dir(), files, ""))
	}
	if k.find() != nil || filepath.Dir(k.path) != k.dir() {
		return nil // whoever can open it may still find what is needed in it
	}
	done, err := s.shrinkSealed(ctx, k, need)
	if done {
		err = k.find()
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(k.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.removeBut(k.dir(), files, filepath.Base(k.path))
}

// removeBut removes files of dir, but for one of them.
func (s *Store) removeBut(dir string, files []string, but string) error {
	var problems error
	for _, file := range files {
		if file != but {
			problems = errors.Join(problems, disk.IgnoreMissing(s.disk.Remove(filepath.Join(dir, file))))
		}
	}
	return problems
}

// sealedIn lists the encrypted packs of removed backups in the folder of a series, by id, each with its files but for
// its note.
func sealedIn(folder string) (map[string][]string, error) {
	entries, err := os.ReadDir(filepath.Join(folder, archive.RetiredFolder))
	found := map[string][]string{}
	for _, e := range entries {
		id, note := strings.CutSuffix(e.Name(), filepath.Ext(archive.RetiredNote("")))
		if note && archive.ValidID(id) && found[id] == nil {
			found[id] = []string{}
		}
		if id, pack := archive.SealedID(e.Name()); pack {
			found[id] = append(found[id], e.Name())
		}
	}
	return found, disk.IgnoreMissing(err)
}
