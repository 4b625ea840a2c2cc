package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
)

// VerifyOptions say how deep a verification goes.
type VerifyOptions struct {
	ReadData   bool       // read and prove every byte; without it only the manifest and the archive's length
	Identities Identities // private keys, for encrypted backups
}

// Verification says what a successful verification covered.
type Verification struct {
	ReadData  bool  // every byte of the archive was read and its SHA-256 proven
	Decrypted bool  // entries were proven as well; false for encrypted backups without a key that opens them
	Entries   int   // entries proven one by one
	Bytes     int64 // bytes of the archive that were read
}

// Verify proves b: its manifest and the archive's length, and with readData every byte. Damage is a *DamageError that names the kind
// and the object.
func (s *Store) Verify(ctx context.Context, b Backup, readData bool) error {
	_, err := s.VerifyWith(ctx, b, VerifyOptions{ReadData: readData})
	return err
}

// VerifyWith is Verify with keys for encrypted backups, and says what was covered.
func (s *Store) VerifyWith(ctx context.Context, b Backup, o VerifyOptions) (Verification, error) {
	m, err := s.Load(b)
	if err != nil {
		return Verification{}, err
	}
	if err := checkIndex(m); err != nil {
		return Verification{}, err
	}
	f, err := openArchiveFile(b.Dir, m)
	if err != nil {
		return Verification{}, err
	}
	if err := f.Close(); err != nil || !o.ReadData {
		return Verification{}, err
	}
	v := Verification{ReadData: true, Bytes: m.Archive.Bytes}
	r, err := openArchive(ctx, b.Dir, m, OpenOptions{Identities: o.Identities})
	if errors.Is(err, ErrNoIdentity) {
		return v, verifyDigest(ctx, b, m)
	}
	if err != nil {
		return Verification{}, err
	}
	r.takeDigests(m)
	if err := errors.Join(verifyEntries(ctx, r, m), r.Close()); err != nil {
		return Verification{}, err
	}
	v.Decrypted, v.Entries = true, len(m.Index.Entries)
	return v, nil
}

// checkIndex compares the parts of a manifest with each other.
func checkIndex(m *Manifest) error {
	if m.Index == nil {
		return damagef(DamageManifest, manifestName, "it has no index")
	}
	if got := len(m.Index.Entries); got != m.Content.Entries {
		return damagef(DamageIndex, manifestName, "it lists %d entries, not %d", got, m.Content.Entries)
	}
	files, bytes := 0, int64(0)
	for _, e := range m.Index.Entries {
		if e.Type == "file" {
			files++
			bytes += e.Size
		}
	}
	if files != m.Content.Files || bytes != m.Content.Bytes {
		return damagef(DamageContent, manifestName, "it lists %d files of %d bytes, not %d of %d", files, bytes, m.Content.Files, m.Content.Bytes)
	}
	packed := int64(0)
	for _, f := range m.Index.Frames {
		packed += f.Size
	}
	if m.Encryption != nil {
		return nil
	}
	if packed != m.Archive.Bytes {
		return damagef(DamageIndex, manifestName, "its frames have %d bytes, its archive %d", packed, m.Archive.Bytes)
	}
	if m.Content.Digest != contentDigest(m.Index.Frames) {
		return damagef(DamageContent, manifestName, "its content digest is not that of its frames")
	}
	return nil
}

// verifyEntries reads the archive to its end and compares every entry with the index.
func verifyEntries(ctx context.Context, r *Reader, m *Manifest) error {
	for proof := newEntryProof(r, m); ; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, err := proof.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// onlyWriter hides what io.Discard would do with buffers of its own, which are small.
type onlyWriter struct{ io.Writer }

// verifyDigest proves the bytes of an archive without opening it.
func verifyDigest(ctx context.Context, b Backup, m *Manifest) error {
	f, err := openArchiveFile(b.Dir, m)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.CopyBuffer(onlyWriter{sum}, contextReader{ctx, f}, make([]byte, 256<<10)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != m.Archive.SHA256 {
		return damagef(DamageDigest, m.Archive.File, "its SHA-256 is %s, not %s", got, m.Archive.SHA256)
	}
	return nil
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read ends with the cause of the context once that is over.
func (c contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
