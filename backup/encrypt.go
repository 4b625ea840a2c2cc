package backup

import (
	"fmt"
	"io"

	"filippo.io/age"
)

// sealing is how an archive is encrypted; its zero value does not.
type sealing struct {
	keys       []string
	recipients []age.Recipient
}

// sealTo parses age public keys (age1…).
func sealTo(keys []string) (sealing, error) {
	s := sealing{keys: keys}
	for _, key := range keys {
		r, err := age.ParseX25519Recipient(key)
		if err != nil {
			return sealing{}, fmt.Errorf("recipient %q is not an age public key: %w", key, err)
		}
		s.recipients = append(s.recipients, r)
	}
	return s, nil
}

func (s sealing) on() bool { return len(s.recipients) > 0 }

func (s sealing) fileName() string {
	if s.on() {
		return encryptedName
	}
	return archiveName
}

func (s sealing) describe() *Encryption {
	if !s.on() {
		return nil
	}
	return &Encryption{Recipients: s.keys}
}

// writer puts encryption, if any, in front of w. Closing it does not close w.
func (s sealing) writer(w io.Writer) (io.WriteCloser, error) {
	if !s.on() {
		return plainWriter{w}, nil
	}
	return age.Encrypt(w, s.recipients...)
}

type plainWriter struct{ io.Writer }

// Close has nothing to end.
func (plainWriter) Close() error { return nil }
