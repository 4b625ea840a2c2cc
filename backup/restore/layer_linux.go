package restore

import (
	"archive/tar"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Attributes of overlay file systems that are mounted by root (Documentation/filesystems/overlayfs.rst of Linux): a
// folder that hides what the layers below have under its name, and a folder that shows them under another.
const (
	overlayOpaque   = "trusted.overlay.opaque" // "y"
	overlayRedirect = "trusted.overlay.redirect"
	overlayMetacopy = "trusted.overlay.metacopy"
)

// hidesLower reports whether nothing of the layers below shows through a folder of the writable layer.
func hidesLower(home *os.Root) (bool, error) {
	dir, err := home.Open(".")
	if err != nil {
		return false, err
	}
	value, err := attribute(dir, overlayOpaque)
	return value == "y", errors.Join(err, dir.Close())
}

func redirected(dir *os.File) (bool, error) {
	value, err := attribute(dir, overlayRedirect)
	return value != "", err
}

// attribute is "" when dir has none of that name.
func attribute(dir *os.File, name string) (string, error) {
	var value [256]byte
	n, err := unix.Fgetxattr(int(dir.Fd()), name, value[:])
	if errors.Is(err, unix.ENODATA) {
		return "", nil
	}
	if err != nil {
		return "", &os.PathError{Op: "getxattr", Path: dir.Name(), Err: err}
	}
	return string(value[:n]), nil
}

// traitOf is what a tar header would say of a file.
func traitOf(info fs.FileInfo) (entryFacts, error) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return entryFacts{}, errLayered
	}
	t := entryFacts{mode: int64(stat.Mode & 0o7777), owner: [2]int{int(stat.Uid), int(stat.Gid)}}
	switch info.Mode().Type() {
	case 0:
		t.kind = tar.TypeReg
	case fs.ModeDir:
		t.kind = tar.TypeDir
	case fs.ModeSymlink:
		t.kind, t.mode = tar.TypeSymlink, 0
	case fs.ModeNamedPipe:
		t.kind = tar.TypeFifo
	default: // a device may be an overlay's word for "removed"
		return entryFacts{}, errLayered
	}

	return t, nil
}
