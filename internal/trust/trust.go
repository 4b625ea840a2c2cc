// Package trust answers one question: may we execute this file, or do what it says? Operators run sandkeeper as root on
// shared hosts, so a marker, a configured path or a configuration must never make us run what another user could have
// written.
package trust

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrUntrusted is wrapped by every refusal, so that a caller can tell "must not run" from "is not there".
var ErrUntrusted = errors.New("not safe to execute")

// errNotProgram is wrapped beside ErrUntrusted where the file is no program at all, so nobody could mean to execute it.
var errNotProgram = errors.New("not a program")

// NotExecutable reports whether a refusal was about a file that is no program at all (a folder, no execute permission),
// as opposed to a program that another user could have written.
func NotExecutable(err error) bool { return errors.Is(err, errNotProgram) }

// Executable reports why path must not be executed by a process with effective user id uid; nil means it may.
//
// The file must be regular, executable, owned by root or by uid, and not writable by anybody else; so must every folder
// and every symbolic link on the way to it. A sticky folder of root or of uid, such as /tmp, may be writable by all,
// because nobody else can replace what we own in it. Errors wrap ErrUntrusted, or fs.ErrNotExist when there is no such
// file.
func Executable(path string, uid int) error {
	real, info, err := follow(path, uid)
	if err != nil {
		return err
	}
	return File(info, real, uid)
}

// File judges an already opened or inspected file by its owner and mode alone, without its folders: what remains to be
// asked of an executable image that no longer has a path (/proc/PID/exe of a replaced file).
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
	mode := info.Mode()
	if mode.IsDir() && mode&fs.ModeSticky != 0 {
		mode &^= 0o022 // nobody else can replace in it what we own
	}
	return by(info, mode, uid).refuse(name, ErrUntrusted)
}
