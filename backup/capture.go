package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// home is where a sandbox's state lies: something that gives it as a tar stream.
type home interface {
	// Read starts one read of the whole home. Names in the stream begin with base, which is not part of the backup's names.
	// The stream ends with tar's own end mark; closing it early stops the source.
	Read(ctx context.Context) (stream io.ReadCloser, base string, err error)
}

// sink takes the entries of a capture; *Archive is the real one.
type sink interface {
	Add(h *tar.Header, r io.Reader) error
	Omit(path, reason string)
}

// capture reads h whole into into. Nothing is followed: links are stored as links. What cannot be kept is handed to Omit and costs
// only itself; a stream that breaks off, falls silent for limit, or lacks its end mark is an error, and nothing is saved then.
func capture(ctx context.Context, h home, into sink, limit stallLimit, m *meter) error {
	watch, stop := watchStall(ctx, limit.orDefault())
	defer stop()
	stream, base, err := h.Read(watch.ctx)
	if err != nil {
		return watch.blame(err)
	}
	err = copyTar(into, m.reader(watch.reader(stream)), base, m)
	return errors.Join(watch.blame(err), ignoreCancelled(watch.blame(stream.Close())))
}

// copyTar hands every entry of a tar stream to into, with base taken off the names.
func copyTar(into sink, stream io.Reader, base string, m *meter) error {
	walk := newTarWalk(stream)
	for {
		h, err := walk.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the stream from the sandbox broke off: %w", err)
		}
		name, ok := rebase(h.Name, base)
		if !ok {
			into.Omit(h.Name, "its name leads out of the home")
			continue
		}
		if err := addEntry(into, h, name, base, walk.tar, m); err != nil {
			return err
		}
	}
}

func addEntry(into sink, h *tar.Header, name, base string, content io.Reader, m *meter) error {
	if h.Typeflag == tar.TypeLink {
		target, ok := rebase(h.Linkname, base)
		if !ok {
			into.Omit(name, "hard link to a file outside the home")
			return nil
		}
		h.Linkname = target
	}
	h.Name = name
	if err := into.Add(h, content); errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the stream from the sandbox broke off: %w", err)
	} else if err != nil {
		return err
	}
	m.file()
	return nil
}

// rebase takes base off an entry's name; the home itself becomes ".". It reports false for names that are not below base.
func rebase(name, base string) (string, bool) {
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
