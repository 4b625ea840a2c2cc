package journal

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"sandkeeper/internal/disk"
)

// SetAside moves a record out of the shelf to a path, whatever is in it, readable or not; the folder of the path is
// made 0700. A record whose owner lives stays: *HeldError. Other errors: fs.ErrNotExist when there is none, ErrForeign
// of the folder.
func (s Shelf[E]) SetAside(key, to string) error {
	f, err := s.ours()
	if err != nil {
		return err
	}
	defer f.close()
	lock, err := f.lock(key+lockSuffix, unix.LOCK_EX, true)
	if err != nil {
		return err
	}
	defer lock.Close()
	folder := filepath.Dir(to)
	if err := s.makeFolder(folder); err != nil {
		return err
	}
	if err := os.Rename(s.Path(key), to); err != nil {
		return err
	}
	return errors.Join(disk.Real{}.SyncDir(folder), f.sync())
}
