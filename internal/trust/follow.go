package trust

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// linkLimit is how many symbolic links the kernel follows as well.
const linkLimit = 40

// follow walks to path name by name, as the kernel will, and judges every folder and link on the way; the last name is
// left to the caller. It returns the path without links and what is there.
func follow(path string, uid int) (string, fs.FileInfo, error) {
	if !filepath.IsAbs(path) {
		return "", nil, fmt.Errorf("%q is not an absolute path: %w", path, ErrUntrusted)
	}
	at := "/"
	info, err := os.Lstat(at)
	if err != nil {
		return "", nil, err
	}
	rest, links := names(path), 0
	for len(rest) > 0 {
		if err := owned(info, at, uid); err != nil {
			return "", nil, err
		}
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
		} else {
			at = filepath.Join(at, name)
		}

		if info, err = os.Lstat(at); err != nil {
			return "", nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if links++; links > linkLimit {
			return "", nil, &fs.PathError{Op: "follow", Path: path, Err: syscall.ELOOP}
		}
		if at, rest, err = through(at, info, rest, uid); err != nil {
			return "", nil, err
		}
		if info, err = os.Lstat(at); err != nil {
			return "", nil, err
		}
	}

	return at, info, nil
}

// through replaces the link at at by its target: where to go on from, and which names are left.
func through(at string, info fs.FileInfo, rest []string, uid int) (string, []string, error) {
	if err := owned(info, at, uid); err != nil {
		return "", nil, err
	}
	target, err := os.Readlink(at)
	if err != nil {
		return "", nil, err
	}
	from := filepath.Dir(at)
	if filepath.IsAbs(target) {
		from = "/"
	}
	return from, append(names(target), rest...), nil
}

func names(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}
