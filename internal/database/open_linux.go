package database

import (
	"os"
	"path/filepath"
)

// isOpen reports whether a process has the file at path open. Processes that we may not look into do not count. A descriptor of
// another name is not followed: its file system may not answer.
func isOpen(path string) bool {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	wanted, err := os.Stat(path)
	if err != nil {
		return false
	}
	descriptors, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return false
	}
	for _, descriptor := range descriptors {
		name, err := os.Readlink(descriptor)
		if err != nil || filepath.Base(name) != filepath.Base(path) {
			continue
		}
		if info, err := os.Stat(descriptor); err == nil && os.SameFile(info, wanted) {
			return true
		}
	}
	return false
}
