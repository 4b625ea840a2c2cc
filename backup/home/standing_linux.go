package home

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/archive"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"
)

// scanLayer looks at every entry of the layer from its root along the folder home and below it. It opens folders only,
// and follows no link: the sandbox may change its home meanwhile, to whatever it likes.
func scanLayer(ctx context.Context, layer, home string) (scan, error) {
	root, err := openFolder(unix.AT_FDCWD, layer)
	if err != nil {
		return scan{}, err
	}
	defer root.Close()
	var system unix.Statfs_t
	if err := unix.Fstatfs(int(root.Fd()), &system); err != nil {
		return scan{}, err
	}
	if !keepsTimes(int64(system.Type)) {
		return scan{}, fmt.Errorf("%s is on a file system (%#x) that is not known to keep the times of writes through mappings", layer, system.Type)
	}
	s := &scanner{ctx: ctx, hash: blake3.New()}
	if err := s.way(root, strings.Split(strings.Trim(home, "/"), "/")); err != nil {
		return scan{}, err
	}
	return scan{entries: s.entries, digest: hex.EncodeToString(s.hash.Sum(nil)[:archive.DigestBytes]), newest: s.newest}, nil
}

// keepsTimes knows the file systems whose page_mkwrite sets the ctime: ext2/3/4, xfs, btrfs. tmpfs, for one, does not.
func keepsTimes(magic int64) bool {
	return slices.Contains([]int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC}, magic)
}

// scanner puts what it sees into one digest.
type scanner struct {
	ctx     context.Context
	hash    *blake3.Hasher
	device  uint64
	entries int
	newest  time.Time
	record  []byte
}

// way goes down from the layer's root to the home, and through that. Where a folder is missing, the rest of the way is
// the image's.
func (s *scanner) way(root *os.File, names []string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &st); err != nil {
		return err
	}
	s.device = uint64(st.Dev)
	if err := s.see(".", &st); err != nil {
		return err
	}
	at := root
	for _, name := range names {
		switch err := unix.Fstatat(int(at.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); {
		case errors.Is(err, unix.ENOENT):
			return nil
		case err != nil:
			return err
		}

		if err := s.see(name, &st); err != nil {
			return err
		}
		next, err := openFolder(int(at.Fd()), name)
		if err != nil {
			return err
		}
		defer next.Close()
		at = next
	}

	return s.folder(at)
}

// folder looks at what is in dir, in the order of the names.
func (s *scanner) folder(dir *os.File) error {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if s.ctx.Err() != nil {
			return context.Cause(s.ctx)
		}
		var st unix.Stat_t
		if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if err := s.see(name, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			if err := s.below(dir, name); err != nil {
				return err
			}
		}
	}

	_, err = s.hash.Write([]byte{0, 0, 0, 0}) // the end of this folder: no entry has an empty name
	return err
}

func (s *scanner) below(dir *os.File, name string) error {
	sub, err := openFolder(int(dir.Fd()), name)
	if err != nil {
		return err
	}
	defer sub.Close()
	return s.folder(sub)
}

func (s *scanner) see(name string, st *unix.Stat_t) error {
	if uint64(st.Dev) != s.device {
		return fmt.Errorf("%q is on another file system", name)
	}
	changed := time.Unix(st.Ctim.Unix())
	if changed.After(s.newest) {
		s.newest = changed
	}
	s.entries++
	s.record = binary.LittleEndian.AppendUint32(s.record[:0], uint32(len(name)))
	s.record = append(s.record, name...)
	for _, n := range []uint64{
		st.Ino, uint64(st.Mode), uint64(st.Nlink), uint64(st.Uid)<<32 | uint64(st.Gid), uint64(st.Rdev), uint64(st.Size),
		uint64(st.Mtim.Nano()), uint64(st.Ctim.Nano()),
	} {
		s.record = binary.LittleEndian.AppendUint64(s.record, n)
	}

	_, err := s.hash.Write(s.record)
	return err
}

func openFolder(at int, name string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Flushing writes everything that waits to be written to the file system of dir, and closes done when it has. It cannot
// be cut short.
func Flushing(dir string) (done <-chan struct{}) {
	written := make(chan struct{})
	go func() {
		f, err := openFolder(unix.AT_FDCWD, dir)
		if err != nil {
			return
		}
		defer f.Close()
		if unix.Syncfs(int(f.Fd())) == nil {
			close(written)
		}
	}()
	return written
}
