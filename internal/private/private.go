// Package private answers whether what is written to a folder stays on this host, with its owner alone. Credentials may
// lie there in plain text; anywhere else they are encrypted.
package private

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Folder gives nil when the folder at path is on a disk of this host and only the user uid, or root, can look into it.
// Otherwise the error says what is in the way. A folder that does not exist yet is judged by the next one above it that
// does; who makes it then closes it to others.
func Folder(path string, uid int) error {
	path, info, err := nearest(path)
	if err != nil {
		return err
	}
	if err := local(path); err != nil {
		return err
	}
	if info == nil {
		return nil
	}
	return closed(path, info, uid)
}

// Local gives nil when what is written to the folder at path stays on a disk of this host that nobody carries away. A
// folder that does not exist yet is judged by the next one above it that does.
func Local(path string) error {
	path, _, err := nearest(path)
	if err != nil {
		return err
	}
	return local(path)
}

// nearest is the real folder at path. Without one it is the next above, and info is nil.
func nearest(path string) (real string, info os.FileInfo, err error) {
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		real, err = filepath.EvalSymlinks(at)
		if os.IsNotExist(err) && at != filepath.Dir(at) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		if at != filepath.Clean(path) {
			return real, nil, nil
		}
		info, err = os.Stat(real)
		return real, info, err
	}
}

func closed(path string, info os.FileInfo, uid int) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others can look into %s (mode %04o)", path, mode)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(owner.Uid) != uid && owner.Uid != 0 {
		return fmt.Errorf("%s belongs to user %d", path, owner.Uid)
	}
	return nil
}
