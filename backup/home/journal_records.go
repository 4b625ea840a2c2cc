package home

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sandkeeper/internal/disk"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/pattern"
)

// Records is a journal: a folder with one small JSON file for everything that is under way, named for its key. A file is durable
// once put returns: written aside, synced, renamed, and the folder synced.
type Records[E any] struct {
	Dir    string
	Decode func(key string, text []byte) (E, error)
}

const (
	JournalSuffix = ".json"
	journalLimit  = 4 << 20
)

var containerID = pattern.Of(`^[0-9a-f]{12,64}$`)

func (r Records[E]) Put(key string, e E) error {
	if !containerID().MatchString(key) {
		return fmt.Errorf("%q is not a container id", key)
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(text) >= journalLimit {
		return fmt.Errorf("the journal's entry would have %d bytes", len(text))
	}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return err
	}
	return disk.ReplaceFile(disk.Real{}, r.Dir, key+JournalSuffix, append(text, '\n'))
}

func (r Records[E]) Remove(key string) error {
	return disk.IgnoreMissing(os.Remove(filepath.Join(r.Dir, key+JournalSuffix)))
}

// Get reads one entry; found is false when there is none.
func (r Records[E]) Get(key string) (e E, found bool, err error) {
	text, err := homefile.Read(r.Dir, filepath.Join(r.Dir, key+JournalSuffix), journalLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	e, err = r.Decode(key, text)
	return e, err == nil, err
}

// List reads all entries. A file that is none is an error of its own and does not hide the others; no folder is no entry.
func (r Records[E]) List() ([]E, error) {
	files, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var entries []E
	problems := []error{err}
	for _, file := range files {
		key, ok := strings.CutSuffix(file.Name(), JournalSuffix)
		if !ok || !containerID().MatchString(key) {
			continue
		}
		entry, found, err := r.Get(key)
		if found {
			entries = append(entries, entry)
		}
		problems = append(problems, err)
	}
	return entries, errors.Join(problems...)
}

// ExecKey names the entry of a sandbox: its name and its gateway's are no file names.
func ExecKey(gateway, sandbox string) string {
	sum := sha256.Sum256([]byte(gateway + "\x00" + sandbox))
	return hex.EncodeToString(sum[:])
}
