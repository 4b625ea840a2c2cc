package database

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// OpenedBy are the processes that have the file at path open. Processes that we may not look into do not count. A
// descriptor of another name is not followed: its file system may not answer.
func OpenedBy(path string) (pids []int) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	wanted, err := os.Stat(path)
	if err != nil {
		return nil
	}
	descriptors, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	for _, descriptor := range descriptors {
		name, err := os.Readlink(descriptor)
		if err != nil || filepath.Base(name) != filepath.Base(path) {
			continue
		}
		if info, err := os.Stat(descriptor); err == nil && os.SameFile(info, wanted) {
			pid, _ := strconv.Atoi(strings.Split(descriptor, "/")[2]) // /proc/PID/fd/N, as the pattern says
			pids = append(pids, pid)
		}
	}

	return slices.Compact(pids)
}
