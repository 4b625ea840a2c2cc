package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/sandboxname"
)

// RefuseLink refuses a folder below root that is a link, or lies behind one below root: no reader of a store follows one,
// so that what went through it would be in no list and could not be restored. The operator's own folder may be one.
func RefuseLink(root, dir string) error {
	below := filepath.Clean(root) + string(filepath.Separator)
	for ; strings.HasPrefix(dir, below); dir = filepath.Dir(dir) {
		if linked(dir) {
			return fmt.Errorf("%s is a link, and none is followed below the backup folder: move what is in it here, or choose another folder with --backup-dir", dir)
		}
	}
	return nil
}

// refuseLink is RefuseLink below the folder that the operator chose. That of the gateways' store lies in it.
func (s *Store) refuseLink(dir string) error {
	if s.gateways {
		return RefuseLink(filepath.Dir(s.root), dir)
	}
	return RefuseLink(s.root, dir)
}

// within reports whether a folder lies below the one that the operator chose. That of the gateways' store does.
func (s *Store) within(dir string) bool {
	return dir == s.root && s.gateways || strings.HasPrefix(dir, s.root+string(filepath.Separator))
}

func linked(dir string) bool {
	info, err := os.Lstat(dir)
	return err == nil && info.Mode().Type() == fs.ModeSymlink
}

// readDir lists a folder of the store. Behind a link there is nothing, as where there is no folder.
func (s *Store) readDir(dir string) ([]fs.DirEntry, error) {
	if s.within(dir) && linked(dir) {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	return entries, disk.IgnoreMissing(err)
}

// Links are the links that lie where the store has the folder of a sandbox, of a gateway or of a backup, by path. What
// is behind them is in no list.
func (s *Store) Links() ([]string, error) {
	if s.gateways && linked(s.root) {
		return []string{s.root}, nil
	}
	entries, err := s.readDir(s.root)
	if err != nil {
		return nil, err
	}
	var found []string
	var problems []error
	for _, e := range entries {
		switch path := s.folder(e.Name()); {
		case sandboxname.CheckFolder(e.Name()) != nil && e.Name() != sandboxname.KeptForSets:
		case e.Type() == fs.ModeSymlink:
			found = append(found, path)
		case e.IsDir():
			inside, err := s.linkedBackups(path)
			found, problems = append(found, inside...), append(problems, err)
		}
	}

	if !s.gateways {
		states, err := s.Gateways().Links()
		found, problems = append(found, states...), append(problems, err)
	}
	return found, errors.Join(problems...)
}

func (s *Store) linkedBackups(folder string) (found []string, err error) {
	entries, err := s.readDir(folder)
	for _, e := range entries {
		if e.Type() == fs.ModeSymlink && archive.ValidID(e.Name()) {
			found = append(found, filepath.Join(folder, e.Name()))
		}
	}
	return found, err
}
