package restore

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sandkeeper/backup/home"
	"sandkeeper/internal/journal"
)

// openExchanged opens the home that an exchange took away: its folder of the writable layer, over what the image has of
// it. nil when there was nothing in it, and when it is being removed, for it was kept before.
func openExchanged(plan journal.Exchange, dir string) (*home.DirectHome, error) {
	if plan.Volume != "" {
		return openVolumeExchanged(plan)
	}
	var folders []string
	hidden := false
	if plan.Own {
		if there, err := inodeOf(staged(plan, stagedHome)); err != nil || there == 0 {
			return nil, err
		}
		folders = append(folders, staged(plan, stagedHome))
		hidden = isOpaque(staged(plan, stagedHome))
	}

	if !hidden {
		below, err := lowerFolders(plan.Lower, dir)
		if err != nil {
			return nil, err
		}
		folders = append(folders, below...)
	}

	if len(folders) == 0 {
		return nil, nil
	}
	old, err := home.Stacked(append(folders, staged(plan, stagedNone)))
	if err != nil {
		return nil, err
	}
	return unlessEmpty(old)
}

func unlessEmpty(old *home.DirectHome) (*home.DirectHome, error) {
	if _, err := old.Folder.Readdirnames(1); errors.Is(err, io.EOF) {
		return nil, old.Close()
	}
	return old, nil
}

// lowerFolders are those of a folder in the image's layers, the topmost first, as far down as they show through each
// other.
func lowerFolders(layers []string, dir string) (found []string, err error) {
	for _, layer := range layers {
		at, ends := layer, false
		for part := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
			at = filepath.Join(at, part)
			var st unix.Stat_t
			err := unix.Lstat(at, &st)
			if err == unix.ENOENT {
				at = ""
				break
			}
			if err != nil {
				return nil, &os.PathError{Op: "stat", Path: at, Err: err}
			}
			if st.Mode&unix.S_IFMT != unix.S_IFDIR { // removed there, or hidden by something else
				return found, nil
			}
			ends = ends || isOpaque(at)
		}

		if at != "" {
			found = append(found, at)
		}
		if ends {
			return found, nil
		}
	}
	return found, nil
}

func isOpaque(dir string) bool {
	value := make([]byte, 8)
	n, err := unix.Lgetxattr(dir, overlayOpaque, value)
	return err == nil && string(value[:n]) == "y"
}
