// Package tree answers one question: how does a folder of this host become the entries of a backup, and how do entries
// become a folder, with nothing lost, nothing followed, and nothing opened but files and folders? It knows no container
// and no engine.
package tree

import (
	"archive/tar"
	"io"

	"sandkeeper/backup/archive"
)

// Sink takes the entries of a folder in the order of their names, a folder before what is in it; *archive.Archive is
// one.
type Sink interface {
	Add(h *tar.Header, r io.Reader) error
	Omit(path, reason string)
}

// ReadOptions say how a folder is read. Zero values serve.
type ReadOptions struct {
	// Enter reports whether the mount at a path below the folder is a part of it. One that is not is left out and
	// named. nil: none is.
	Enter func(name string) bool
	// Only reports whether a path is wanted; what is in a folder that is not is not looked at. nil: all is.
	Only func(name string) bool
	// Through is what the content of every file passes through, for counting; nil: nothing.
	Through func(io.Reader) io.Reader
	// Earlier is asked for each file, in the order of the walk, whether an earlier backup has what is in it; then it is
	// not read. What is handed over is *archive.Witnessed then, also what is read. nil: all is read.
	Earlier func(name string, size int64, seen archive.Seen) *archive.Kept
	// Added is told of every entry that was handed over; nil: nobody is.
	Added func()
}
