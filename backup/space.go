package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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
