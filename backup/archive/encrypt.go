package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"sandkeeper/internal/text"

	"filippo.io/age"
)

// sealing is how an archive is encrypted; its zero value does not.
type sealing struct {
	keys       []string
	recipients []age.Recipient
}

// SealTo parses age public keys (age1…).
func SealTo(keys []string) (sealing, error) {
	s := sealing{keys: keys}
	for _, key := range keys {
		r, err := age.ParseX25519Recipient(key)
		if err != nil {
			return sealing{}, fmt.Errorf("recipient %q is not an age public key%s", key, fault(key))
		}
		s.recipients = append(s.recipients, r)
	}
	return s, nil
}

// fault says more of a key that begins as one does. The library's own reasons are about its encoding.
func fault(key string) string {
	if !strings.HasPrefix(key, "age1") {
		return ""
	}
	return ": it begins as one does, and is not whole, or has a mistake in it"
}

// CheckRecipients reports the first key that is not an age public key, before anything is done.
func CheckRecipients(keys []string) error {
	_, err := SealTo(keys)
	return err
}

func (s sealing) On() bool { return len(s.recipients) > 0 }

// Names are the files of a backup's archive and index. whole: the archive holds all of the content.
func (s sealing) Names(whole bool) (archive, index string) {
	switch {
	case s.On() && whole:
		return EncryptedName, EncryptedIndexName
	case s.On():
		return EncryptedPackName, EncryptedIndexName
	case whole:
		return ArchiveName, IndexName
	}
	return PackName, IndexName
}

// RecipeName is the name of the file with the recipe.
func (s sealing) RecipeName() string {
	if s.On() {
		return EncryptedRecipeName
	}
	return RecipeName
}

// Writer puts encryption, if any, in front of w. Closing it does not close w.
func (s sealing) Writer(w io.Writer) (io.WriteCloser, error) {
	if !s.On() {
		return plainWriter{w}, nil
	}
	return age.Encrypt(w, s.recipients...)
}

type plainWriter struct{ io.Writer }

// Close has nothing to end.
func (plainWriter) Close() error { return nil }

// Identities are private keys that open encrypted backups.
type Identities []age.Identity

// ErrNoIdentity means that an encrypted backup was to be read without a key that opens it.
var ErrNoIdentity = errors.New("the backup is encrypted, and none of the given identities opens it")

// ReadIdentities parses an age identity file.
func ReadIdentities(r io.Reader) (Identities, error) {
	ids, err := age.ParseIdentities(r)
	if err != nil {
		return nil, text.As(err, "there is no age key in it")
	}
	return ids, nil
}

// plain is text without its encryption, if it has any.
func (ids Identities) plain(text []byte, m *Manifest) ([]byte, error) {
	if m.Encryption == nil {
		return text, nil
	}
	from, err := ids.open(bytes.NewReader(text), m)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(from)
}

// openAt is open for what is read here and there; size is that of src.
func (ids Identities) openAt(src io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	if len(ids) == 0 {
		return nil, 0, ErrNoIdentity
	}
	plain, length, err := age.DecryptReaderAt(src, size, ids...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, 0, ErrNoIdentity
	}
	return plain, length, err
}

// open takes encryption, if any, from src.
func (ids Identities) open(src io.Reader, m *Manifest) (io.Reader, error) {
	if m.Encryption == nil {
		return src, nil
	}
	return ids.Unseal(src, m.Archive.File)
}

// Unseal gives what is encrypted in src, of which object is the name for people. ErrNoIdentity when no key opens it.
func (ids Identities) Unseal(src io.Reader, object string) (io.Reader, error) {
	if len(ids) == 0 {
		return nil, ErrNoIdentity
	}
	plain, err := age.Decrypt(src, ids...)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return nil, ErrNoIdentity
	}
	if err != nil {
		return nil, &DamageError{Kind: DamageDigest, Object: object, Err: err}
	}
	return plain, nil
}
