package tree

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// beneath keeps a lookup below the folder it begins in: no "..", no link, no magic link of /proc (openat2(2)).
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// openBeneath opens name below the folder at. With enter it may be a mount; without, one is EXDEV.
func openBeneath(at int, name string, flags int, enter bool) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC), Resolve: beneath}
	if !enter {
		how.Resolve |= unix.RESOLVE_NO_XDEV
	}
	for {
		fd, err := unix.Openat2(at, name, &how)
		if err != unix.EAGAIN && err != unix.EINTR { // a rename elsewhere crossed the lookup
			return fd, err
		}
	}
}

// OpenFolder opens the folder name below at, a path without links; what is mounted on the way belongs to it.
func OpenFolder(at *os.File, name string) (*os.File, error) {
	fd, err := openBeneath(int(at.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY, true)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// reopen opens what a descriptor names for reading. It was looked at before, so that no device and no pipe is ever
// opened.
func reopen(fd int) (int, error) {
	flags := unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK
	file, err := unix.Open(descriptorPath(fd), flags|unix.O_NOATIME, 0)
	if err == unix.EPERM { // a file system that does not know us for the owner
		return unix.Open(descriptorPath(fd), flags, 0)
	}
	return file, err
}

func descriptorPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
