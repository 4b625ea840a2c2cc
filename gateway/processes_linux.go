package gateway

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// threadLimit is how many threads of a process are looked at for one that still runs.
const threadLimit = 64

// Image is Processes. The opened file is the very inode that runs, whatever its path leads to by now.
func (hostProcesses) Image(_ context.Context, pid int) (*os.File, string, error) {
	f, link, err := openImage(filepath.Join("/proc", strconv.Itoa(pid)))
	if err == nil {
		return f, link, nil
	}
	for _, dir := range threads(pid) {
		if f, link, threadErr := openImage(dir); threadErr == nil {
			return f, link, nil
		}
	}
	return nil, "", err
}

func openImage(dir string) (*os.File, string, error) {
	path := filepath.Join(dir, "exe")
	link, err := os.Readlink(path)
	if err != nil {
		return nil, "", err
	}
	f, err := os.Open(path)
	return f, strings.TrimSuffix(link, " (deleted)"), err
}

// threadArgs is the command line as a living thread of pid shows it: a process whose first thread has ended has none of its own.
func threadArgs(pid int) []string {
	for _, dir := range threads(pid) {
		content, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if content = bytes.TrimRight(content, "\x00"); err == nil && len(content) > 0 {
			return strings.Split(string(content), "\x00")
		}
	}
	return nil
}

// threads are the folders of pid's other threads.
func threads(pid int) []string {
	leader := strconv.Itoa(pid)
	tasks := filepath.Join("/proc", leader, "task")
	dir, err := os.Open(tasks)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(threadLimit)
	if err != nil {
		return nil
	}
	var found []string
	for _, name := range names {
		if name != leader {
			found = append(found, filepath.Join(tasks, name))
		}
	}
	return found
}
