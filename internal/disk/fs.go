// Package disk answers one question: how does a file become visible whole, or not at all? It is the slice of the
// operating system that changes a store, with the order of write, sync, rename and sync of the folder, and it follows
// no link.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// FS is the slice of the operating system that changes the store. Tests wrap it to fail the n-th call and to watch the
// order.
type FS interface {
	Mkdir(name string) error // 0700; fs.ErrExist when it is there
	Create(name string) (File, error)
	Link(from, to string) error
	Rename(from, to string) error
	Remove(name string) error
	SyncDir(name string) error
}

// File is a file that is being written.
type File interface {
	io.Writer
	Sync() error
	Close() error
}

// Real is the disk of this host.
type Real struct{}

// Mkdir makes a folder that only its owner may look into.
func (Real) Mkdir(name string) error { return os.Mkdir(name, 0o700) }

// Link gives a file a second name.
func (Real) Link(from, to string) error { return os.Link(from, to) }

// Rename moves a name within the file system, over what is there.
func (Real) Rename(from, to string) error { return os.Rename(from, to) }

// Remove removes one file or empty folder.
func (Real) Remove(name string) error { return os.Remove(name) }

// Create makes a file that was not there, behind no link, and that only its owner may read.
func (Real) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

// SyncDir makes the names in a folder durable. Some file systems cannot (EINVAL, ENOTSUP) and need not.
func (Real) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// IgnoreMissing is err, or nil when it only says that something is not there.
func IgnoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// IgnoreExists is err, or nil when it only says that something is there already.
func IgnoreExists(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
