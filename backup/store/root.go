package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sandkeeper/internal/private"
	"sandkeeper/internal/text"
	"sandkeeper/internal/trust"
)

// maxLinks bounds the symbolic links on the way to a root, as the kernel does.
const maxLinks = 40

// checkRoot walks the absolute path root as the kernel would and refuses steps that another user controls: symbolic
// links of a user who is neither root nor uid, and folders that everybody may write to without the sticky bit. What
// does not exist yet is fine.
func checkRoot(root string, uid int) error {
	rest := splitPath(root)
	at := "/"
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		info, err := os.Lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("backup folder %s: %w", root, err)
		}
		if err := checkStep(root, next, info, uid); err != nil {
			return err
		}
		rest = rest[1:]
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return fmt.Errorf("backup folder %s: too many symbolic links", root)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return fmt.Errorf("backup folder %s: %w", root, err)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(splitPath(target), rest...)
	}
	return nil
}

// checkOwner refuses the store of another user: what it holds is put into sandboxes, and whoever owns the folder
// decides what it holds. On a file system of another host the owner is what that host makes of us, and says nothing.
func checkOwner(root string, uid int) error {
	info, err := os.Stat(root)
	if errors.Is(err, fs.ErrNotExist) || err == nil && private.Local(root) != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("backup folder %s: %w", root, err)
	}
	if err := trust.Obey(info, root, uid); err != nil {
		return fmt.Errorf("backup folder %w; run sandkeeper as its owner, or give the folder to the user who runs it: chown and chmod go-w", err)
	}
	return nil
}

func checkStep(root, step string, info fs.FileInfo, uid int) error {
	if info.Mode()&fs.ModeSymlink != 0 {
		owner := -1
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			owner = int(stat.Uid)
		}
		if owner != 0 && owner != uid {
			return fmt.Errorf("backup folder %s: %s is a symbolic link of user %d; name the folder it should lead to with --backup-dir", root, step, owner)
		}
		return nil
	}

	if !info.IsDir() {
		return notFolder(root, step)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("backup folder %s: everybody may write to %s; take that away with chmod o-w, or choose another folder with --backup-dir", root, step)
	}
	return nil
}

// splitPath gives the components of path. ".." stays in: it is taken after the link before it was followed, as the
// kernel does.
func splitPath(path string) []string {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	return parts
}

// notFolder wraps syscall.ENOTDIR.
func notFolder(root, step string) error {
	if step == root {
		return text.As(syscall.ENOTDIR, "%s is not a folder: choose one with --backup-dir", root)
	}
	return text.As(syscall.ENOTDIR, "backup folder %s: %s is not a folder; choose another one with --backup-dir", root, step)
}
