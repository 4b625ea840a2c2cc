package gateway

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// Holds is Processes. A file counts when its path leads to it on this host too.
func (hostProcesses) Holds(_ context.Context, pid int) Holdings {
	var h Holdings
	dir := procDir(pid)
	if content, err := os.ReadFile(filepath.Join(dir, "environ")); err == nil {
		h.Env = strings.Split(strings.TrimRight(string(content), "\x00"), "\x00")
	}
	h.Dir, _ = os.Readlink(filepath.Join(dir, "cwd"))
	for _, each := range append([]string{dir}, threads(pid)...) {
		entries, err := os.ReadDir(filepath.Join(each, "fd"))
		h.Err = err
		if err != nil || len(entries) == 0 { // threads share their descriptors; a first thread that has ended has none
			continue
		}
		for _, entry := range entries {
			if path, ok := heldFile(filepath.Join(each, "fd", entry.Name())); ok {
				h.Files = append(h.Files, path)
			}
		}

		break
	}

	return h.once()
}

// heldFile is the path of the regular file behind a descriptor.
func heldFile(descriptor string) (string, bool) {
	path, err := os.Readlink(descriptor)
	if err != nil || !filepath.IsAbs(path) || strings.HasPrefix(path, "/dev/") {
		return "", false
	}
	same, err := sameFile(descriptor, path)
	return path, err == nil && same
}
