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

	Proofs Proofs // remember the frames that are read to their last byte; nil: nothing is remembered
}

// Reader gives the entries of a backup as archive/tar does, and proves them on the way: frame by frame, and at io.EOF
// the archive as a whole. Damage is a *DamageError from Next or Read.
type Reader struct {
	tar    *tar.Reader
	Frames stream
	digest fileDigest    // takes the digests of files; nil: nobody does
	file   *os.File      // nil where the stream is read from packs
	source *digestReader // likewise
	want   ArchiveFile
	bare   bool // the bytes of files are passed over
}

// stream is the raw tar stream of a backup, proven as it is read, whichever form the backup has.
type stream interface {
	io.ReadCloser
	failure() error // what the reading ended with; nil while it goes on
}

// fileDigest takes the digest of one file after another.
type fileDigest interface {
	BeginFile(size int64)
	EndFile() string
}

// Open reads the backup in the folder dir, whose manifest is m, wherever its content lies: in an archive of its own, or
// in the packs of its series as well.
func Open(ctx context.Context, dir string, m *Manifest, o OpenOptions) (*Reader, error) {
	if m.Index == nil {
		return nil, Damagef(DamageManifest, ManifestName, "it has no index")
	}
	if m.Blocks != nil {
		packs, err := PacksOf(dir, m, o.Identities)
		if err != nil {
			return nil, err
		}
		blocks := readRuns(ctx, packs, m, o.Proofs)
		return &Reader{tar: tar.NewReader(blocks), Frames: blocks, want: m.Archive}, nil
	}

	f, err := OpenFile(dir, m.Archive)
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

// OpenFile opens a file of the backup in dir and compares its length.
func OpenFile(dir string, want ArchiveFile) (*os.File, error) {
	f, err := disk.OpenPlain(filepath.Join(dir, want.File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Damagef(DamageArchiveMissing, want.File, "it is missing")
	}
	if err != nil {
		return nil, &DamageError{Kind: DamageArchiveMissing, Object: want.File, Err: err}
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Size() < want.Bytes:
		err = Damagef(DamageTruncated, want.File, "it has %d bytes, not %d", info.Size(), want.Bytes)
	case info.Size() > want.Bytes:
		err = Damagef(DamageExtended, want.File, "it has %d bytes, not %d", info.Size(), want.Bytes)
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
	if err == nil || errors.Is(err, io.EOF) && ended(r.Frames.failure()) {
		return err
	}
	if damage, ok := errors.AsType[*DamageError](r.Frames.failure()); ok {
		return damage
	}
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return err
	}
	return &DamageError{Kind: DamageIndex, Object: r.want.File, Err: err}
}

// ended reports whether err says no more than that a stream is at its end, or goes on.
func ended(err error) bool { return err == nil || errors.Is(err, io.EOF) }

// finish proves the end: nothing after the tar stream, nothing after the last frame, the SHA-256.
func (r *Reader) finish() error {
	extra, err := io.Copy(io.Discard, r.Frames)
	if err != nil {
		return err
	}
	if extra > 0 {
		return Damagef(DamageIndex, r.want.File, "%d bytes follow its last entry", extra)
	}
	if r.source == nil {
		return io.EOF
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
	err := r.Frames.Close()
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	return err
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
