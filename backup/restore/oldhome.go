package restore

import (
	"archive/tar"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/journal"
)

// oldHome is the complete copy of a home from before a restore, credentials and all: a private file beside the backups,
// which is there until the restore is confirmed. It reads like the home itself.
type oldHome struct {
	file    string
	base    string
	owner   owner
	entries int
	roots   map[string]bool // which of the restored roots it has
}

// owner is the user and group of a home's own folder.
type owner struct{ uid, gid int }

// keep copies the home as it is. The copy is proven to be a whole tar stream while it is made, and synced.
func (j *restoreJob) keep(ctx context.Context, h home.Home, mark *restoreMark) (old *oldHome, err error) {
	j.meter.Enter(home.StageSaving)
	tail, err := j.tail()
	if err != nil {
		return nil, err
	}
	name := strings.Replace(journal.CopyPattern, "*", j.Target.Name+"-"+tail, 1)
	old = &oldHome{file: filepath.Join(j.kept().Root(), name), roots: map[string]bool{}}
	// The journal names the copy before it exists: whatever is left of it after a kill is found and removed.
	if err := mark.copying(old.file); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(old.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, old.remove())
		}
	}()
	packed, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return old, err
	}
	if err := j.copyOld(ctx, h, old, packed); err != nil {
		return old, errors.Join(err, packed.Close())
	}
	return old, errors.Join(packed.Close(), f.Sync(), disk.Real{}.SyncDir(filepath.Dir(old.file)))
}

// tail makes a name that no other restore has.
func (j *restoreJob) tail() (string, error) {
	var tail [4]byte
	_, err := io.ReadFull(j.Store.Random(), tail[:])
	return hex.EncodeToString(tail[:]), err
}

func (j *restoreJob) copyOld(ctx context.Context, h home.Home, old *oldHome, packed io.Writer) error {
	watch, stop := home.WatchStall(ctx, archive.StallLimit(j.Stall).OrDefault())
	defer stop()
	stream, base, err := h.Read(watch.Ctx)
	if err != nil {
		return watch.Blame(err)
	}
	defer stream.Close()
	old.base = base
	copied := io.TeeReader(j.meter.Reader(watch.Reader(stream)), packed)
	return watch.Blame(eachEntry(archive.NewTarWalk(copied, archive.StallLimit(j.Stall)), base, old.note(j.pick)))
}

// note takes in what the copy has.
func (o *oldHome) note(pick *selection) func(name string, h *tar.Header, _ io.Reader) error {
	return func(name string, h *tar.Header, _ io.Reader) error {
		if name == "." {
			o.owner = owner{h.Uid, h.Gid}
		} else {
			o.entries++
		}

		switch pick.root(name) {
		case name:
			o.roots[name] = true
		case "":
			pick.note(name)
		}
		return nil
	}
}

// reopen reads the copy that a killed restore left.
func (j *restoreJob) reopen(ctx context.Context, file string) (*oldHome, error) {
	j.meter.Enter(home.StageSaving)
	old := &oldHome{file: file, base: path.Base(j.summary.Home), roots: map[string]bool{}}
	if err := old.each(ctx, old.note(j.pick)); err != nil {
		return nil, fmt.Errorf("the copy that an earlier restore left, %s: %w", file, err)
	}
	if old.entries == 0 {
		return old, nil
	}
	b, err := j.kept().Find(j.Target.Name, j.summary.Previous)
	if err != nil {
		return nil, err
	}
	m, err := j.kept().Load(b, j.Identities)
	if err != nil {
		return nil, err
	}
	j.omitted = m.Exclusions
	for e := range m.Index.All(&err) {
		j.notice(e.Name())
	}
	j.stripped.leave()
	return old, err
}

// Read reads the copy.
func (o *oldHome) Read(context.Context) (io.ReadCloser, string, error) {
	f, err := os.Open(o.file)
	if err != nil {
		return nil, "", err
	}
	plain, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	return &oldStream{Decoder: plain, file: f}, o.base, nil
}

// each walks the entries of the copy.
func (o *oldHome) each(ctx context.Context, visit func(name string, h *tar.Header, content io.Reader) error) error {
	stream, base, err := o.Read(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	return eachEntry(archive.NewTarWalk(store.ReadUntil(ctx, stream), 0), base, visit)
}

func (o *oldHome) remove() error { return disk.IgnoreMissing(os.Remove(o.file)) }

type oldStream struct {
	*zstd.Decoder
	file *os.File
}

// Close closes the file behind the stream.
func (s *oldStream) Close() error {
	s.Decoder.Close()
	return s.file.Close()
}

// saveOld makes an ordinary backup of what is about to be replaced, so that a restore of the wrong backup can be taken
// back later.
func (j *restoreJob) saveOld(ctx context.Context, old home.Home, c engine.Container) error {
	b, err := j.kept().Create(ctx, store.NewBackup{Manifest: j.before(c)}, func(ctx context.Context, a *archive.Archive) error {
		a.Note(func(m *archive.Manifest) { j.omitted = m.Exclusions })
		err := home.Capture(ctx, old, noticing{a, j}, archive.StallLimit(j.Stall), j.meter)
		j.stripped.leave()
		return err
	})
	j.summary.Previous = b.ID
	if j.Keep != nil {
		j.summary.KeptIn = j.Keep.Root()
	}
	return err
}

// isContent reports whether a home is made of such entries; the stream is foreign.
func isContent(h *tar.Header) bool {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo:
		return true
	}
	return false
}
