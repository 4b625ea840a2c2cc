// Package journal answers two questions about work that must not be forgotten: what is under way, and does the run that
// began it still live?
//
// A shelf is a folder with two files for everything that is under way: KEY.json says what it is, and KEY.lock says
// whose it is. A record belongs to a run for as long as that run holds the kernel's lock (flock) on the lock file. The
// kernel gives the lock back when the process ends, however it ends, so nothing has to be guessed from a PID, a start
// time or a host name. Those are written into the lock file for people, and are read for people only.
//
// A lock file is made once and stays. A record is replaced by rename, so the lock lies on another file, whose inode
// never changes.
package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sandkeeper/internal/pattern"
)

const (
	recordSuffix = ".json"
	lockSuffix   = ".lock"
	partPrefix   = ".tmp-" // begins the name of a record that is being written
	recordLimit  = 4 << 20 // bytes of one record
)

// validKey is what names a record: a container's id, or a Key.
var validKey = pattern.Of(`^[0-9a-f]{12,64}$`)

// Key names the record of something whose own names are no file names: 64 hexadecimal digits, the SHA-256 of the parts
// with a NUL between them.
func Key(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Shelf is a folder of records of one kind.
type Shelf[E any] struct {
	dir   string
	about func(e E) string
	check func(key string, e E) error
	adopt bool // a record without a lock file is anybody's

	user int // who owns what is obeyed
	step func(step string)

	watch Watch
}

// Kind is what a shelf knows of its records: what one is about, in a few words, and why one must not be acted on,
// whatever it asks for. It is named for key, and its text may be anything.
type Kind[E any] struct {
	About func(e E) string
	Check func(key string, e E) error
}

// NewShelf is the shelf in dir, which is made when the first record is.
func NewShelf[E any](dir string, kind Kind[E]) Shelf[E] {
	return Shelf[E]{dir: dir, about: kind.About, check: kind.Check, user: os.Geteuid(), step: func(string) {}, watch: func(string, ...string) {}}
}

// Watched is the same shelf, with w told of what is done to its folder.
func (s Shelf[E]) Watched(w Watch) Shelf[E] {
	s.watch = w
	return s
}

// adopting is the same shelf, on which a record that has no lock file belongs to nobody. It is for records that are
// acted on without harm also while their owner lives. Everywhere else such a record is left alone.
func (s Shelf[E]) adopting() Shelf[E] {
	s.adopt = true
	return s
}

// Dir is the shelf's folder.
func (s Shelf[E]) Dir() string { return s.dir }

// Path is where the record of that key lies.
func (s Shelf[E]) Path(key string) string { return filepath.Join(s.dir, key+recordSuffix) }

// LockPath is where the lock file of that key lies.
func (s Shelf[E]) LockPath(key string) string { return filepath.Join(s.dir, key+lockSuffix) }

// decode makes a record of its text.
func (s Shelf[E]) decode(key string, text []byte) (E, error) {
	var e E
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("%s is not readable: %w", s.Path(key), err)
	}
	if err := s.check(key, e); err != nil {
		return e, fmt.Errorf("%s: %w", s.Path(key), err)
	}
	return e, nil
}
