package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"sandkeeper/backup/archive"
)

// dress gives a file or folder what its header says, in the order in which nothing takes back what came before: a new
// owner takes away the capabilities and the set-user bits, and every change sets the time.
func dress(fd int, h *tar.Header) error {
	if err := unix.Fchown(fd, h.Uid, h.Gid); err != nil {
		return fmt.Errorf("its owner: %w", err)
	}
	if err := setAttributes(h, func(key string, value []byte) error { return unix.Fsetxattr(fd, key, value, 0) }); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, uint32(h.Mode&0o7777)); err != nil {
		return fmt.Errorf("its mode: %w", err)
	}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, descriptorPath(fd), times(h), 0); err != nil {
		return fmt.Errorf("its time: %w", err)
	}
	return nil
}

// times are those of the last write; the time of the last read, which no backup has, becomes the same.
func times(h *tar.Header) []unix.Timespec {
	at := unix.NsecToTimespec(0)
	at.Sec, at.Nsec = h.ModTime.Unix(), int64(h.ModTime.Nanosecond())
	return []unix.Timespec{at, at}
}

func setAttributes(h *tar.Header, set func(key string, value []byte) error) error {
	for key, value := range h.PAXRecords {
		name, is := strings.CutPrefix(key, archive.RecordAttribute)
		if !is || !Belongs(name) {
			continue
		}
		if err := set(name, []byte(value)); err != nil {
			return fmt.Errorf("its attribute %q: %w", name, err)
		}
	}
	return nil
}

// fill writes a file's content, and leaves holes where it had them. What the list of holes calls one and is not all
// zeros is written.
func (w *Writer) fill(fd int, h *tar.Header, content io.Reader) error {
	listed, sparse := h.PAXRecords[archive.RecordData]
	if !sparse {
		return w.copy(fd, content, layout{size: h.Size, whole: true})
	}
	data, scan, err := parse(listed, h.Size)
	if err != nil {
		return err
	}
	if scan {
		return w.copyScanning(fd, h.Size, content)
	}
	return w.copy(fd, content, layout{size: h.Size, data: data})
}

// copy writes part after part of the content, as at tells which are data.
func (w *Writer) copy(fd int, content io.Reader, at layout) error {
	for at.at < at.size {
		end, hole := at.part()
		piece := w.buffer[:min(int64(len(w.buffer)), end-at.at)]
		if _, err := io.ReadFull(content, piece); err != nil {
			return err
		}
		if !hole || !w.empty(piece) {
			if err := writeAt(fd, piece, at.at); err != nil {
				return err
			}
		}

		at.at += int64(len(piece))
	}
	return ended(fd, at.size, content, at.whole)
}

// holeSize is the smallest part of a file that can be a hole, on most file systems.
const holeSize = 4096

func (w *Writer) copyScanning(fd int, size int64, content io.Reader) error {
	for at := int64(0); at < size; {
		piece := w.buffer[:min(holeSize, size-at)]
		if _, err := io.ReadFull(content, piece); err != nil {
			return err
		}
		if !w.empty(piece) {
			if err := writeAt(fd, piece, at); err != nil {
				return err
			}
		}

		at += int64(len(piece))
	}
	return ended(fd, size, content, false)
}

// ended makes a file as long as it is, also when it ends with a hole, and sees that nothing more comes.
func ended(fd int, size int64, content io.Reader, written bool) error {
	if n, err := content.Read(make([]byte, 1)); n > 0 || err != nil && err != io.EOF {
		return errors.Join(errors.New("it does not end where its header says"), err)
	}
	if written {
		return nil
	}
	return unix.Ftruncate(fd, size)
}

func writeAt(fd int, p []byte, at int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(fd, p, at)
		if err != nil && err != unix.EINTR {
			return err
		}
		p, at = p[max(n, 0):], at+int64(max(n, 0))
	}
	return nil
}

func (w *Writer) empty(p []byte) bool { return bytes.Equal(p, w.zeros[:len(p)]) }

func lastSlash(s string) int { return strings.LastIndexByte(s, '/') }
