// Package store answers one question: which backups are there, and can they be trusted? It is a folder of backups that
// commits, lists, verifies, prunes, exports and imports.
package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// Names of the files of a backup.
const (
	verifiedName   = "verified.json"
	lockName       = ".lock"
	lockHolderName = ".lock.owner"
)

// Store is a folder of backups: <root>/<sandbox>/<id>/{archive.tar.zst,manifest.json}. Folders are 0700, files 0600.
// Readers need no lock; whoever creates, removes or sweeps holds the store's Lock.
type Store struct {
	claims *claims
	root   string
	tool   string
	disk   disk.FS
	now    func() time.Time
	rand   io.Reader
	free   func(dir string) (int64, error)
	keys   string

	gateways bool // what is saved in it is of gateways, not of sandboxes

	// Patience is asked, while another run holds the store, whether to try again; it waits before it says so. Nil never
	// does.
	Patience func(*LockedError) bool
}

// Options are what a store needs to know beside its folder. The zero value serves.
type Options struct {
	Tool string           // version of this program, for manifests
	UID  int              // whose store it is; 0 is root
	Now  func() time.Time // nil: time.Now
	Rand io.Reader        // nil: crypto/rand

	Free func(dir string) (int64, error) // bytes that can still be written; nil: ask the system
	Keys string                          // folder, outside of the store, of the keys of encrypted backups; "": each of these is whole, under a key of its own

	Disk disk.FS // nil: this host's; tests fail its calls and cut its power
}

// Open names the store at root. Nothing is made on disk before the first Create or Lock. A root that passes through
// another user's symbolic link, or through a folder where anybody can swap names, is refused, as is another user's
// store: trust.ErrForeign.
func Open(root string, o Options) (*Store, error) {
	abs, err := filepath.Abs(root)
	if err != nil || root == "" {
		return nil, errors.Join(fmt.Errorf("backup folder %q cannot be used", root), err)
	}
	if err := checkRoot(abs, o.UID); err != nil {
		return nil, err
	}
	if err := checkOwner(abs, o.UID); err != nil {
		return nil, err
	}
	s := &Store{claims: &claims{of: map[string]Series{}}, root: abs, tool: o.Tool, disk: o.Disk, now: o.Now, rand: o.Rand, free: o.Free, keys: o.Keys}
	if s.disk == nil {
		s.disk = disk.Real{}
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.free == nil {
		s.free = freeSpace
	}
	return s, nil
}

// Root is the store's folder, absolute.
func (s *Store) Root() string { return s.root }

// folder is the folder of one sandbox's backups.
func (s *Store) folder(sandbox string) string { return filepath.Join(s.root, sandbox) }

// makeFolder makes dir and what lies above it, each durable in its parent. A link in its place is refused below the root.
func (s *Store) makeFolder(dir string) error {
	if err := s.refuseLink(dir); err != nil {
		return err
	}
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	parent := filepath.Dir(dir)
	if err := s.makeFolder(parent); err != nil {
		return err
	}
	if err := disk.IgnoreExists(s.disk.Mkdir(dir)); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if err := s.disk.SyncDir(parent); err != nil {
		return fmt.Errorf("sync %s: %w", parent, err)
	}
	return nil
}

// Gateways is the store of gateways' state inside s: <root>/_gateway/<name>/<id>. It has a lock of its own.
func (s *Store) Gateways() *Store {
	inner := *s
	inner.root, inner.gateways = filepath.Join(s.root, archive.GatewayFolder), true
	return &inner
}

// Random is where the store takes the random part of names from.
func (s *Store) Random() io.Reader { return s.rand }
