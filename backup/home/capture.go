// Package home answers one question: how is a sandbox's home read and written while nobody changes it? It pauses, with
// a journal and a guard so that nothing stays paused, reads through the engine or through the gateway, and gives up on
// what falls silent.
package home

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"sandkeeper/backup/archive"
)

// Home is where a sandbox's state lies: something that gives it as a tar stream.
type Home interface {
	// Read starts one read of the whole home. Names in the stream begin with base, which is not part of the backup's
	// names. The stream ends with tar's own end mark; closing it early stops the source.
	Read(ctx context.Context) (stream io.ReadCloser, base string, err error)
}

// Sink takes the entries of a capture; *Archive is the real one.
type Sink interface {
	Add(h *tar.Header, r io.Reader) error
	Omit(path, reason string)
}

// Capture reads h whole into into. Nothing is followed: links are stored as links. What cannot be kept is handed to
// Omit and costs only itself; a stream that breaks off, falls silent for limit, or lacks its end mark is an error, and
// nothing is saved then.
func Capture(ctx context.Context, h Home, into Sink, limit archive.StallLimit, m *Meter) error {
	watch, stop := WatchStall(ctx, limit.OrDefault())
	defer stop()
	stream, base, err := h.Read(watch.Ctx)
	if err != nil {
		return watch.Blame(err)
	}
	err = copyTar(into, archive.NewTarWalk(m.Reader(watch.Reader(stream)), limit), base, m)
	return errors.Join(watch.Blame(err), ignoreCancelled(watch.Blame(stream.Close())))
}

// copyTar hands every entry of a tar stream to into, with base taken off the names.
func copyTar(into Sink, walk *archive.TarWalk, base string, m *Meter) error {
	for {
		h, err := walk.Next()
		if err == io.EOF {
			return nil
		}
		if errors.Is(err, archive.ErrNoEnd) {
			return fmt.Errorf("the stream from the sandbox does not end: %w", err)
		}
		if err != nil {
			return fmt.Errorf("the stream from the sandbox broke off: %w", err)
		}
		name, ok := Rebase(h.Name, base)
		if !ok {
			into.Omit(h.Name, "its name leads out of the home")
			continue
		}
		if err := addEntry(into, h, name, base, walk.Tar, m); err != nil {
			return err
		}
	}
}

func addEntry(into Sink, h *tar.Header, name, base string, content io.Reader, m *Meter) error {
	if h.Typeflag == tar.TypeLink {
		target, ok := Rebase(h.Linkname, base)
		if !ok {
			into.Omit(name, "hard link to a file outside the home")
			return nil
		}
		h.Linkname = target
	}

	h.Name = name
	if err := into.Add(h, content); errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the stream from the sandbox broke off in %q: %w", name, err)
	} else if err != nil {
		return err
	}

	m.file()
	return nil
}

// Rebase takes base off an entry's name; the home itself becomes ".". It reports false for names that are not below
// base.
func Rebase(name, base string) (string, bool) {
	clean := path.Clean(name)
	if base != "." {
		rest, below := strings.CutPrefix(clean+"/", base+"/")
		if !below {
			return "", false
		}
		clean = path.Clean("./" + rest)
	}

	if clean == ".." || path.IsAbs(clean) || strings.HasPrefix(clean, "../") {
		return "", false
	}
	return clean, true
}

func ignoreCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
