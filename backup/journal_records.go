package backup

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

	"sandkeeper/internal/homefile"
	"sandkeeper/internal/pattern"
)

// records is a journal: a folder with one small JSON file for everything that is under way, named for its key. A file is durable
// once put returns: written aside, synced, renamed, and the folder synced.
type records[E any] struct {
	dir    string
	decode func(key string, text []byte) (E, error)
}

const (
	journalSuffix = ".json"
	journalLimit  = 4 << 20
)

var containerID = pattern.Of(`^[0-9a-f]{12,64}$`)

func (r records[E]) put(key string, e E) error {
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
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	return replaceFile(realDisk{}, r.dir, key+journalSuffix, append(text, '\n'))
}

func (r records[E]) remove(key string) error {
	return ignoreMissing(os.Remove(filepath.Join(r.dir, key+journalSuffix)))
}

// get reads one entry; found is false when there is none.
func (r records[E]) get(key string) (e E, found bool, err error) {
	text, err := homefile.Read(r.dir, filepath.Join(r.dir, key+journalSuffix), journalLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	e, err = r.decode(key, text)
	return e, err == nil, err
}

// list reads all entries. A file that is none is an error of its own and does not hide the others; no folder is no entry.
func (r records[E]) list() ([]E, error) {
	files, err := os.ReadDir(r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var entries []E
	problems := []error{err}
	for _, file := range files {
		key, ok := strings.CutSuffix(file.Name(), journalSuffix)
		if !ok || !containerID().MatchString(key) {
			continue
		}
		entry, found, err := r.get(key)
		if found {
			entries = append(entries, entry)
		}
		problems = append(problems, err)
	}
	return entries, errors.Join(problems...)
}

// execKey names the entry of a sandbox: its name and its gateway's are no file names.
func execKey(gateway, sandbox string) string {
	sum := sha256.Sum256([]byte(gateway + "\x00" + sandbox))
	return hex.EncodeToString(sum[:])
}
