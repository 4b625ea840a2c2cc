// Package trust answers one question: may we execute this file? Operators run sandkeeper as root on shared hosts, so a marker or
// a configured path must never make us run what another user could have written.
package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrUntrusted is wrapped by every refusal, so that a caller can tell "must not run" from "is not there".
var ErrUntrusted = errors.New("not safe to execute")

// errNotProgram is wrapped beside ErrUntrusted where the file is no program at all, so nobody could mean to execute it.
var errNotProgram = errors.New("not a program")

// NotExecutable reports whether a refusal was about a file that is no program at all (a folder, no execute permission), as opposed
// to a program that another user could have written.
func NotExecutable(err error) bool { return errors.Is(err, errNotProgram) }

// Executable reports why path must not be executed by a process with effective user id uid; nil means it may.
//
// The file must be regular, executable, owned by root or by uid, and not writable by group or others; so must every folder that
// holds it, link by link, up to the root (a sticky folder such as /tmp counts as safe above a folder of our own, because nobody
// else can replace our entries in it). Errors wrap ErrUntrusted, or fs.ErrNotExist when there is no such file.
func Executable(path string, uid int) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%q is not an absolute path: %w", path, ErrUntrusted)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	if err := File(info, real, uid); err != nil {
		return err
	}
	if err := folders(filepath.Dir(real), uid); err != nil {
		return err
	}
	return folders(filepath.Dir(path), uid)
}

// File judges an already opened or inspected file by its owner and mode alone, without its folders: what remains to be asked of
// an executable image that no longer has a path (/proc/PID/exe of a replaced file).
func File(info fs.FileInfo, name string, uid int) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%q is not a regular file: %w, %w", name, errNotProgram, ErrUntrusted)
	}
	if info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%q is not executable: %w, %w", name, errNotProgram, ErrUntrusted)
	}
	return owned(info, name, uid)
}

func owned(info fs.FileInfo, name string, uid int) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("the owner of %q is unknown on this system: %w", name, ErrUntrusted)
	}
	if owner := int(stat.Uid); owner != 0 && owner != uid {
		return fmt.Errorf("%q belongs to user %d: %w", name, owner, ErrUntrusted)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%q can be written by other users (mode %04o): %w", name, info.Mode().Perm(), ErrUntrusted)
	}
	return nil
}

func folders(dir string, uid int) error {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if err := owned(info, dir, uid); err != nil && info.Mode()&fs.ModeSticky == 0 {
			return err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}
