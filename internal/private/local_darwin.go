package private

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// local gives an error when the file system at path is not of this host.
func local(path string) error {
	var system unix.Statfs_t
	if err := unix.Statfs(path, &system); err != nil {
		return fmt.Errorf("the file system of %s: %w", path, err)
	}
	if system.Flags&unix.MNT_LOCAL == 0 {
		return fmt.Errorf("%s is on another host's file system", path)
	}
	return nil
}
