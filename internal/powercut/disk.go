// Package powercut answers one question for tests: what may be on a disk after its power was cut? It passes on what
// programs do to a folder, keeps note of what no sync has made durable yet, and at a cut takes a part of that back, as
// POSIX allows: bytes that were not synced end early, and names whose folder was not synced come, stay or go each by
// itself, whatever their order was.
package powercut

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Disk is the disk of one host, which outlives the processes on it.
type Disk struct {
	mu    sync.Mutex
	rand  *rand.Rand
	grave string // what was removed and may come back
	count int    // numbers what is in the grave, and what is loose
	log   []change
	loose map[uint64]*loose // files whose bytes are not durable yet, by inode
}

// New is a disk with everything on it durable. grave is a folder on the same file system that nobody else uses.
func New(grave string, chance *rand.Rand) *Disk {
	return &Disk{rand: chance, grave: grave, loose: map[uint64]*loose{}}
}

// change is one change of a name that no sync of its folder has made durable yet.
type change struct {
	kind     string          // mkdir, create, link, rename, remove
	from, to string          // from: of a rename; to: the name that it makes, or takes away
	saved    string          // in the grave: what was there before; "" nothing
	folder   bool            // what was removed is a folder
	inode    uint64          // of what is renamed
	synced   map[string]bool // names that are durable
}

// names are those that the change is about.
func (c change) names() []string {
	if c.from == "" {
		return []string{c.to}
	}
	return []string{c.from, c.to}
}

// loose is a file with bytes that are not durable.
type loose struct {
	number int // in the order in which they were written
	file   *os.File
	synced int64
}

// Sync makes all durable, as a kernel does that had the time.
func (d *Disk) Sync() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle()
}

func (d *Disk) settle() {
	d.log = nil
	for _, l := range d.loose {
		_ = l.file.Close() // a second descriptor
	}
	d.loose = map[uint64]*loose{}
}

// Cut cuts the power: what is on the disk afterwards is all there is, and durable.
func (d *Disk) Cut() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var problems []error
	for _, l := range slices.SortedFunc(maps.Values(d.loose), func(a, b *loose) int { return a.number - b.number }) {
		info, err := l.file.Stat()
		if err == nil && info.Size() > l.synced {
			err = l.file.Truncate(l.synced + d.rand.Int64N(info.Size()-l.synced+1))
		}
		problems = append(problems, err)
	}

	lost := d.lost()
	for i := len(d.log) - 1; i >= 0; i-- {
		if lost[i] {
			problems = append(problems, d.takeBack(i, lost))
		}
	}

	d.settle()
	return errors.Join(problems...)
}

// lost chooses what did not come to the disk. What builds on a name that is lost is lost with it.
func (d *Disk) lost() []bool {
	lost, gone := make([]bool, len(d.log)), []string{}
	for i, c := range d.log {
		lost[i] = d.rand.IntN(2) == 0
		for _, name := range c.names() {
			for _, above := range gone {
				lost[i] = lost[i] || name == above || strings.HasPrefix(name, above+"/")
			}
		}

		if lost[i] {
			gone = append(gone, c.names()...)
		}
	}
	return lost
}

// takeBack takes the i-th change back. What was renamed since, and stays so, lies under its new name.
func (d *Disk) takeBack(i int, lost []bool) error {
	c := d.log[i]
	now := func(name string) string {
		for j := i + 1; j < len(d.log); j++ {
			if later := d.log[j]; !lost[j] && later.kind == "rename" {
				name = moved(name, later)
			}
		}
		return name
	}
	to := now(c.to)
	switch c.kind {
	case "mkdir":
		return os.RemoveAll(to)
	case "create", "link":
		return missing(os.Remove(to))
	case "rename":
		if inode(to) != c.inode {
			return nil // it had not come to be
		}
		return errors.Join(os.Rename(to, now(c.from)), back(c.saved, to))
	}

	if c.folder {
		return there(os.Mkdir(to, 0o700))
	}
	return back(c.saved, to)
}

func back(saved, to string) error {
	if saved == "" {
		return nil
	}
	return missing(os.Rename(saved, to))
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func there(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func inode(path string) uint64 {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// note takes down a change, with what its name meant before.
func (d *Disk) note(c change) {
	if info, err := os.Lstat(c.to); err == nil && (c.kind == "remove" || c.kind == "rename") {
		if c.folder = info.IsDir(); !c.folder {
			d.count++
			c.saved = filepath.Join(d.grave, strconv.Itoa(d.count))
			if os.Link(c.to, c.saved) != nil {
				c.saved = ""
			}
		}
	}

	if c.kind == "rename" {
		c.inode = inode(c.from)
	}
	c.synced = map[string]bool{}
	d.log = append(d.log, c)
}

// written takes down that a file's bytes are not durable from now on.
func (d *Disk) written(path string) {
	at := inode(path)
	if at == 0 || d.loose[at] != nil {
		return
	}
	if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		d.count++
		d.loose[at] = &loose{number: d.count, file: f}
	}
}

func (d *Disk) syncedFile(path string) {
	if l := d.loose[inode(path)]; l != nil {
		if info, err := l.file.Stat(); err == nil {
			l.synced = info.Size()
		}
	}
}

// syncedFolder makes the names in a folder durable; a rename from one folder to another is when both are.
func (d *Disk) syncedFolder(dir string) {
	var left []change
	for _, c := range d.log {
		for _, name := range c.names() {
			if filepath.Dir(name) == dir {
				c.synced[name] = true
			}
		}
		switch {
		case len(c.synced) < len(c.names()):
			left = append(left, c)
		case c.kind == "rename":
			for i := range left {
				left[i].follow(c)
			}
		}
	}

	d.log = left
}

// follow gives an earlier change the names that it has since a rename.
func (c *change) follow(later change) {
	synced := map[string]bool{}
	for name := range c.synced {
		synced[moved(name, later)] = true
	}
	c.to, c.synced = moved(c.to, later), synced
	if c.from != "" {
		c.from = moved(c.from, later)
	}
}

// moved is a name after a rename.
func moved(name string, by change) string {
	if name == by.from || strings.HasPrefix(name, by.from+"/") {
		return by.to + strings.TrimPrefix(name, by.from)
	}
	return name
}
