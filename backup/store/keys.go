package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"

	"github.com/zeebo/blake3"
)

// maxKey bounds what is read of a store key.
const maxKey = 4 << 10

// storeKey is the key by which this host adds to encrypted backups for these recipients. It lies outside of every
// store, in a file of its owner's. Where there is none, or others may read it, it is made anew: then the next backup is
// whole.
func (s *Store) storeKey(recipients []string) (*archive.StoreKey, error) {
	if s.keys == "" {
		return archive.NewStoreKey()
	}
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()

	name := keyName(recipients)
	key, err := readKey(filepath.Join(s.keys, name))
	if err == nil || !errors.Is(err, errKeyUnfit) {
		return key, err
	}
	if key, err = archive.NewStoreKey(); err != nil {
		return nil, err
	}
	if err := s.makeFolder(s.keys); err != nil {
		return nil, err
	}
	if err := disk.ReplaceFile(s.disk, s.keys, name, []byte(key.Secret()+"\n")); err != nil {
		return nil, fmt.Errorf("keep the key of encrypted backups: %w", err)
	}
	return key, nil
}

// keyName is the file of the key for these recipients: others would have to open what those open.
func keyName(recipients []string) string {
	of := slices.Compact(slices.Sorted(slices.Values(recipients)))
	sum := blake3.Sum256([]byte(strings.Join(of, "\n")))
	return hex.EncodeToString(sum[:8]) + ".key"
}

// errKeyUnfit says that a file has no key that only its owner knows.
var errKeyUnfit = errors.New("it has no key that only its owner knows")

// readKey reads a store key; errKeyUnfit when there is none that may be used.
func readKey(path string) (*archive.StoreKey, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0) {
		return nil, errKeyUnfit
	}
	var text []byte
	if err == nil {
		text, err = disk.ReadPlain(path, maxKey)
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of encrypted backups: %w", err)
	}
	key, err := archive.ParseStoreKey(string(text))
	if err != nil {
		return nil, errKeyUnfit
	}
	return key, nil
}
