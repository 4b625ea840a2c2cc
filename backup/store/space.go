package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sandkeeper/internal/journal"
	"sandkeeper/internal/size"

	usage "github.com/shirou/gopsutil/v3/disk"
)

// SpaceError says that a sandbox's home will not fit.
type SpaceError struct {
	Sandbox    string
	Need, Free int64 // bytes
	Dir        string
}

// Error names need and room.
func (e *SpaceError) Error() string {
	return fmt.Sprintf("sandbox %q: home is %s, %s free in %s", e.Sandbox, size.Text(e.Need), size.Text(e.Free), e.Dir)
}

// freeSpace is how many bytes this user may still write below dir, which need not exist yet.
func freeSpace(dir string) (int64, error) {
	for {
		room, err := usage.Usage(dir)
		if err == nil {
			return int64(min(room.Free, 1<<62)), nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) && !os.IsNotExist(err) || parent == dir {
			return 0, fmt.Errorf("free space of %s: %w", dir, err)
		}
		dir = parent
	}
}

// Free is how many bytes can still be written to the store.
func (s *Store) Free() (int64, error) { return s.free(s.root) }

// CheckSpace gives a *SpaceError when need bytes, the estimate for one sandbox, do not fit into the store.
func (s *Store) CheckSpace(sandbox string, need int64) error {
	free, err := s.Free()
	if err != nil {
		return err
	}
	if need > free {
		return &SpaceError{Sandbox: sandbox, Need: need, Free: free, Dir: s.root}
	}
	return nil
}

// needAndRoom completes the error of a full disk: how much a backup had written below dir by then, and how much room is
// left.
func (s *Store) needAndRoom(err error, dir string) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	if _, other := errors.AsType[*journal.FullError](err); other { // it is not the store's disk that is full
		return err
	}
	var written int64
	files, _ := os.ReadDir(dir) // what cannot be seen is not counted: the error itself matters more
	for _, file := range files {
		if info, err := file.Info(); err == nil {
			written += info.Size()
		}
	}

	free, unknown := s.Free()
	if unknown != nil {
		return fmt.Errorf("%w: it needs more than the %s written so far; %w", err, size.Text(written), unknown)
	}
	return fmt.Errorf("%w: it needs more than the %s written so far, %s free in %s", err, size.Text(written), size.Text(free), s.root)
}
