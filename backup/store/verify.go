package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"sandkeeper/backup/archive"
)

// VerifyOptions say how deep a verification goes.
type VerifyOptions struct {
	ReadData   bool               // read and prove every byte; without it only the manifest and the archive's length
	Identities archive.Identities // private keys, for encrypted backups

	// Proofs, when they are given, remember which packs were read: backups that share blocks are then proven by reading
	// each block of a file once. Their headers are compared with the index all the same.
	Proofs Proofs
}

// Verification says what a successful verification covered.
type Verification struct {
	ReadData  bool  // every byte of the archive was read and its SHA-256 proven
	Decrypted bool  // entries were proven as well; false for encrypted backups without a key that opens them
	Entries   int   // entries proven one by one
	Bytes     int64 // bytes of the archive that were read
}

// Verify proves b: its manifest and the archive's length, and with readData every byte. Damage is a *DamageError that
// names the kind and the object.
func (s *Store) Verify(ctx context.Context, b Backup, readData bool) error {
	_, err := s.VerifyWith(ctx, b, VerifyOptions{ReadData: readData})
	return err
}

// VerifyWith is Verify with keys for encrypted backups, and says what was covered.
func (s *Store) VerifyWith(ctx context.Context, b Backup, o VerifyOptions) (Verification, error) {
	m, err := s.Load(b, o.Identities)
	if errors.Is(err, archive.ErrNoIdentity) {
		return verifySealed(ctx, b, m, o)
	}
	if err != nil {
		return Verification{}, err
	}
	v, err := verifyOpened(ctx, b, m, o)
	if errors.Is(err, archive.ErrNoIdentity) { // or the seal is damaged, which opens to nobody then: its bytes tell
		o.ReadData = true
		return verifySealed(ctx, b, m, o)
	}
	return v, err
}

// Prove is Verify to the last byte for whoever is going to unpack b: archive.ErrNoIdentity when no key among ids opens
// it.
func (s *Store) Prove(ctx context.Context, b Backup, ids archive.Identities) error {
	seen, err := s.VerifyWith(ctx, b, VerifyOptions{ReadData: true, Identities: ids})
	if err == nil && !seen.Decrypted {
		return archive.ErrNoIdentity
	}
	return err
}

// verifyOpened proves a backup whose manifest could be read.
func verifyOpened(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) (Verification, error) {
	if err := archive.CheckIndex(m); err != nil {
		return Verification{}, err
	}
	if err := checkFiles(ctx, b, m); err != nil {
		return Verification{}, err
	}
	if m.Blocks != nil {
		return verifyBlocks(ctx, b, m, o)
	}
	if !o.ReadData {
		return Verification{}, nil
	}
	return readEntries(ctx, b, m, o)
}

// checkFiles proves the small files of a backup, and that its archive is as long as it was.
func checkFiles(ctx context.Context, b Backup, m *archive.Manifest) error {
	f, err := archive.OpenFile(b.Dir, m.Archive)
	if err != nil {
		return err
	}
	_, err = recipeText(b, m)
	if err == nil && m.PackNote != nil {
		err = VerifyDigest(ctx, b, *m.PackNote)
	}
	return errors.Join(err, f.Close())
}

// readEntries reads all content and compares every entry with the index.
func readEntries(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) (Verification, error) {
	v := Verification{ReadData: true, Bytes: m.Archive.Bytes}
	r, err := archive.Open(ctx, b.Dir, m, archive.OpenOptions{Identities: o.Identities, Proofs: archive.Proofs(o.Proofs)})
	if err != nil {
		return v, err
	}
	r.TakeDigests(m)
	if err := errors.Join(verifyEntries(ctx, r, m), r.Close()); err != nil {
		return Verification{}, err
	}
	v.Decrypted, v.Entries = true, m.Content.Entries
	return v, nil
}

// verifyEntries reads the archive to its end and compares every entry with the index.
func verifyEntries(ctx context.Context, r *archive.Reader, m *archive.Manifest) error {
	for proof := archive.NewEntryProof(r, m); ; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, err := proof.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// VerifyDigest proves the bytes of a file of a backup without opening it.
func VerifyDigest(ctx context.Context, b Backup, want archive.ArchiveFile) error {
	f, err := archive.OpenFile(b.Dir, want)
	if err != nil {
		return err
	}
	defer f.Close()
	return proveBytes(ctx, f, want)
}

// proveBytes compares the SHA-256 of all that r gives with that of a file of a backup.
func proveBytes(ctx context.Context, r io.Reader, want archive.ArchiveFile) error {
	sum := sha256.New()
	if _, err := io.CopyBuffer(archive.OnlyWriter{Writer: sum}, contextReader{ctx, r}, make([]byte, 256<<10)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 {
		return archive.Damagef(archive.DamageDigest, want.File, "its SHA-256 is %s, not %s", got, want.SHA256)
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

// ReadUntil is r until ctx is over, and then ends with its cause.
func ReadUntil(ctx context.Context, r io.Reader) io.Reader { return contextReader{ctx, r} }
