package tree

import (
	"errors"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Look goes through a folder and hands every path in it to visit, with its kind and a path by which this process
// reaches it now. No link is followed, no file opened, and no mount looked into. What goes meanwhile is passed over.
func Look(folder *os.File, visit func(name string, kind fs.FileMode, here string) error) error {
	fd, err := openBeneath(int(folder.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY, false)
	if err != nil {
		return err
	}
	return look(fd, ".", visit)
}

func look(fd int, name string, visit func(string, fs.FileMode, string) error) error {
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		child := below(name, e.Name())
		if err := visit(child, e.Type(), "/proc/self/fd/"+strconv.Itoa(fd)+"/"+e.Name()); err != nil {
			return err
		}
		if !e.IsDir() {
			continue
		}
		sub, err := openBeneath(fd, e.Name(), unix.O_RDONLY|unix.O_DIRECTORY, false)
		switch err {
		case nil:
			if err := look(sub, child, visit); err != nil {
				return err
			}
		case unix.EXDEV, unix.ENOENT, unix.ENOTDIR:
		default:
			return err
		}
	}

	return nil
}
