package cmd

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sandkeeper/internal/disk"
	"sandkeeper/internal/text"
)

// inFolder refuses a file to be written whose folder is not there, or is none; flag is the one that names the file.
func inFolder(flag, file string) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	dir := filepath.Dir(abs)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usage("make it (mkdir -p "+text.ShellWord(dir)+") or name another file, then run the same command again", "%s: there is no folder %s", flag, dir)
	case errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir():
		return usage("name a file in a folder, then run the same command again", "%s: %s is not a folder", flag, dir)
	}
	return nil
}

// publish makes the file that a flag names hold what write writes, as disk.Publish does.
func publish(flag, file string, write func(io.Writer) error) error {
	if err := inFolder(flag, file); err != nil {
		return err
	}
	err := disk.Publish(file, write)
	if errors.Is(err, fs.ErrExist) {
		return usage("name another file, then run the same command again", "%s: %w", flag, err)
	}
	return noRoom(about(flag, err), file)
}

// noRoom says of a full disk which one it is: that of a file that the user has named. Any other error stays as it is.
func noRoom(err error, file string) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	return &Failure{Code: ExitRefused, Kind: "internal", Err: err, Hint: "make room on the disk of " + filepath.Dir(file) + ", or name another file"}
}
