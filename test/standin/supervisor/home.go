package supervisor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// prepareHome makes /sandbox where it is missing and gives its top to the agent. Any other home must be in the image,
// and the agent must be able to write it (crates/openshell-supervisor-process/src/process.rs).
func (s Supervisor) prepareHome(agent identity) error {
	home := filepath.Join(s.Root, s.Workdir)
	if s.Workdir == "/sandbox" {
		if err := os.MkdirAll(home, 0o755); err != nil {
			return err
		}
		if err := os.Lchown(home, int(agent.uid), int(agent.gid)); err != nil {
			return err
		}
		return addMode(home, 0o300)
	}

	path := s.Root
	parts := strings.Split(strings.Trim(s.Workdir, "/"), "/")
	for i, part := range parts {
		path = filepath.Join(path, part)
		if err := agent.mayEnter(path, i == len(parts)-1); err != nil {
			return fmt.Errorf("image workspace validation failed: %w", err)
		}
	}

	return nil
}

func addMode(path string, more fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()|more)
}

// mayEnter holds one folder on the way to the home against the agent's rights; in the home itself it must be able to
// write.
func (agent identity) mayEnter(path string, last bool) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return fmt.Errorf("image workspace path component '%s' does not exist", path)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("workspace path component '%s' is a symlink — refusing to follow it", path)
	case !info.IsDir():
		return fmt.Errorf("workspace path component '%s' is not a directory", path)
	}

	wanted, words := fs.FileMode(0o1), "traversable"
	if last {
		wanted, words = 0o3, "writable and traversable"
	}
	mode := info.Mode().Perm()
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		switch {
		case owner.Uid == agent.uid:
			mode >>= 6
		case owner.Gid == agent.gid:
			mode >>= 3
		}
	}

	if mode&wanted != wanted {
		return fmt.Errorf("workspace path component '%s' is not %s by the sandbox identity in the image", path, words)
	}
	return nil
}
