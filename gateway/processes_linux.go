package gateway

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// threadLimit is how many threads of a process are looked at to find one still running.
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

// threadArgs is the command line as a living thread of pid shows it: a process whose first thread has ended has none of
// its own.
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

// tickLength is what the kernel counts times in for programs: USER_HZ is 100 on every architecture that this is built
// for (proc(5)).
const tickLength = time.Second / 100

// started says when a process started: born is in ticks since the machine was booted, which is what the kernel keeps.
// gopsutil makes a time of it with the age of the machine rounded down to a second, which comes out differently from
// one call to the next.
func started(_ context.Context, pid int) (at time.Time, born uint64, err error) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return time.Time{}, 0, err
	}
	if born, err = bornIn(string(content)); err != nil {
		return time.Time{}, 0, err
	}
	now := time.Now() // before the age is taken: what passes in between makes the start earlier, never later
	var age unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &age); err != nil {
		return time.Time{}, 0, err
	}
	return now.Round(0).Add(time.Duration(born)*tickLength - time.Duration(age.Nano())), born, nil
}

// bornIn reads the 22nd field of /proc/PID/stat; the second, the program's name, may hold anything.
func bornIn(stat string) (uint64, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("%.80q does not say when the process started", stat)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
