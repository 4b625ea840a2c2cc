package preflight

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"sandkeeper/internal/private"
	"sandkeeper/internal/size"
	"sandkeeper/internal/text"
	"sandkeeper/internal/trust"
)

// root judges the folder of the backups without making anything in it.
func (in HostInput) root(context.Context) Result {
	if in.RootErr != nil {
		return failing("", in.RootErr.Error())
	}
	if in.Root == "" {
		return skipping("not looked at")
	}
	at, info, err := existing(in.Root)
	if err != nil {
		return failing("", fmt.Sprintf("the backup folder %s cannot be looked at: %v", in.Root, err))
	}
	if mounted := in.mountedInto(at); mounted != "" {
		return failing("", fmt.Sprintf("the backup folder %s is inside a mount of sandbox container %s, whose processes could read and change backups; choose another with --backup-dir", in.Root, mounted))
	}
	if err := unix.Faccessat(unix.AT_FDCWD, at, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return failing("", fmt.Sprintf("the backup folder %s cannot be written: %s: %v", in.Root, at, err))
	}
	if at != filepath.Clean(in.Root) {
		if resolved, err := filepath.EvalSymlinks(in.Root); err != nil || resolved != at {
			return passed("%s will be made in %s", in.Root, at)
		}
	}

	if err := trust.Obey(info, in.Root, in.UID); err != nil && private.Local(at) == nil {
		return failing("", fmt.Sprintf("the backup folder %v; give it to the user who runs sandkeeper (chown, chmod go-w), or choose another with --backup-dir", err))
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != in.UID {
		return warned("the backup folder %s belongs to user %d, not to you (%d)", in.Root, stat.Uid, in.UID)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return warning("chmod 700 "+text.ShellWord(in.Root), fmt.Sprintf("others may look into the backup folder %s (mode %04o)", in.Root, info.Mode().Perm()))
	}
	return passed("%s", in.Root)
}

// existing is the nearest folder of path that is there, without symbolic links.
func existing(path string) (string, fs.FileInfo, error) {
	for {
		resolved, err := filepath.EvalSymlinks(path)
		if err == nil {
			info, err := os.Stat(resolved)
			if err == nil && !info.IsDir() {
				err = fmt.Errorf("%s is not a folder", resolved)
			}
			return resolved, info, err
		}

		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return "", nil, err
		}
		path = filepath.Dir(path)
	}
}

// mountedInto names a sandbox container that has dir, or a folder above it, mounted.
func (in HostInput) mountedInto(dir string) string {
	for _, c := range in.Seen.Containers {
		for _, m := range c.Mounts {
			source := filepath.Clean(m.Source)
			if m.Source != "" && (dir == source || strings.HasPrefix(dir, strings.TrimSuffix(source, "/")+"/")) {
				return fmt.Sprintf("%q (%s)", c.Name, m.Destination)
			}
		}
	}
	return ""
}

// space compares the estimate with the room.
func (in HostInput) space(ctx context.Context) Result {
	if in.Free == nil || in.Need == nil {
		return skipping("not looked at")
	}
	free, err := in.Free()
	if err != nil {
		return warned("the free space of %s is unknown: %v", in.Root, err)
	}
	need := in.Need(ctx)
	estimate := fmt.Sprintf("%s free in %s", size.Text(free), in.Root)
	if need.Sandboxes > 0 || need.Unknown == 0 {
		estimate = fmt.Sprintf("about %s for %s, %s", size.Text(need.Bytes), size.Count(need.Sandboxes, "sandbox", "sandboxes"), estimate)
	}
	if need.Unknown > 0 {
		estimate += fmt.Sprintf("; the size of %s is not known", size.Count(need.Unknown, "sandbox", "sandboxes"))
	}
	switch {
	case need.Bytes > free:
		return failing("sandkeeper backups prune --keep 3", "the next backups do not fit: "+estimate)
	case need.Bytes > free/10*9:
		return warning("sandkeeper backups prune --keep 3", "the next backups may not fit: "+estimate)
	}

	return passed("%s", estimate)
}

func (in HostInput) otherRun(context.Context) Result {
	if in.Holder == nil {
		return skipping("not looked at")
	}
	if who, held := in.Holder(); held {
		return warned("%s; a run that writes backups ends with exit 11 until then", who)
	}
	return passed("none")
}
