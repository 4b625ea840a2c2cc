package archive

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sandkeeper/internal/disk"
)

// OpenOptions say how to read a backup.
type OpenOptions struct {
	Identities Identities // private keys, for encrypted backups

	Proven bool // the SHA-256 was proven a moment ago: the digests of the frames, where there are any, prove the same bytes again
}

// Reader gives the entries of a backup as archive/tar does, and proves them on the way: frame by frame, and at io.EOF the archive
// as a whole. Damage is a *DamageError from Next or Read.
type Reader struct {
	tar    *tar.Reader
	Frames *frameReader
	file   *os.File
	source *digestReader
	want   ArchiveFile
}

// Open reads the archive of the backup in the folder dir, whose manifest is m.
func Open(ctx context.Context, dir string, m *Manifest, o OpenOptions) (*Reader, error) {
	if m.Index == nil {
		return nil, Damagef(DamageManifest, ManifestName, "it has no index")
	}
	f, err := OpenFile(dir, m)
	if err != nil {
		return nil, err
	}
	source := &digestReader{r: f}
	if !o.Proven || m.Encryption != nil {
		source.sum = sha256.New()
	}
	plain, err := o.Identities.open(source, m)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	frames := ReadFrames(ctx, plain, m.Index.Frames, m.Archive.File)
	return &Reader{tar: tar.NewReader(frames), Frames: frames, file: f, source: source, want: m.Archive}, nil
}

// OpenFile opens the archive and compares its length.
func OpenFile(dir string, m *Manifest) (*os.File, error) {
	f, err := disk.OpenPlain(filepath.Join(dir, m.Archive.File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Damagef(DamageArchiveMissing, m.Archive.File, "it is missing")
	}
	if err != nil {
		return nil, &DamageError{Kind: DamageArchiveMissing, Object: m.Archive.File, Err: err}
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Size() < m.Archive.Bytes:
		err = Damagef(DamageTruncated, m.Archive.File, "it has %d bytes, not %d", info.Size(), m.Archive.Bytes)
	case info.Size() > m.Archive.Bytes:
		err = Damagef(DamageExtended, m.Archive.File, "it has %d bytes, not %d", info.Size(), m.Archive.Bytes)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Next goes to the next entry. io.EOF means that everything was read and the whole archive has the promised SHA-256.
func (r *Reader) Next() (*tar.Header, error) {
	h, err := r.tar.Next()
	if errors.Is(err, io.EOF) {
		return nil, r.finish()
	}
	return h, r.tell(err)
}

// Read reads the current entry.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.tar.Read(p)
	return n, r.tell(err)
}

// tell prefers the damage below to the tar reader's view of it.
func (r *Reader) tell(err error) error {
	if err == nil || errors.Is(err, io.EOF) && r.Frames.err == nil {
		return err
	}
	if damage, ok := errors.AsType[*DamageError](r.Frames.err); ok {
		return damage
	}
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return err
	}
	return &DamageError{Kind: DamageIndex, Object: r.want.File, Err: err}
}

// finish proves the end: nothing after the tar stream, nothing after the last frame, the SHA-256.
func (r *Reader) finish() error {
	extra, err := io.Copy(io.Discard, r.Frames)
	if err != nil {
		return err
	}
	if extra > 0 {
		return Damagef(DamageIndex, r.want.File, "%d bytes follow its last entry", extra)
	}
	if _, err := io.Copy(io.Discard, r.source); err != nil {
		return err
	}
	if r.source.sum == nil {
		return io.EOF
	}
	if got := hex.EncodeToString(r.source.sum.Sum(nil)); got != r.want.SHA256 {
		return Damagef(DamageDigest, r.want.File, "its SHA-256 is %s, not %s", got, r.want.SHA256)
	}
	return io.EOF
}

// Close ends the reading.
func (r *Reader) Close() error {
	return errors.Join(r.Frames.Close(), r.file.Close())
}

// digestReader takes the SHA-256 of all that passes, if it has a sum.
type digestReader struct {
	r   io.Reader
	sum hash.Hash
}

// Read reads on and takes the digest of what came.
func (d *digestReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if d.sum != nil {
		d.sum.Write(p[:n])
	}
	return n, err
}
