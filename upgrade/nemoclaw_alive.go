package upgrade

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// rebuildMark begins the variable that NemoClaw's rebuild has in its environment; the log behind it tells which upgrade
// has started it.
const rebuildMark = "SANDKEEPER_REBUILD_LOG="

// atWork refuses to go on, or back, while a rebuild that an earlier run has started works on: it would delete what is
// kept or brought back here.
func (j *job) atWork() error {
	if !j.resumed || j.Log == "" {
		return nil
	}
	if pid := rebuildProcess(j.Log); pid != 0 {
		return fmt.Errorf("nemoclaw is still rebuilding it: process %d, which an earlier run has started; wait until it has ended", pid)
	}
	return nil
}

// rebuildProcess is the process of the rebuild that was given log; 0 when it has ended, or where nobody can say (no
// /proc). It leads a group in our session. What it has left behind for good, such as a forwarded port, is no longer in
// its group, or has a session of its own.
func rebuildProcess(log string) int {
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environments {
		content, err := os.ReadFile(path) // of other users' processes it cannot be read, and those are not ours
		if err != nil || !slices.ContainsFunc(bytes.Split(content, []byte{0}), func(v []byte) bool { return string(v) == rebuildMark+log }) {
			continue
		}
		folder := filepath.Dir(path)
		if pid, err := strconv.Atoi(filepath.Base(folder)); err == nil && leads(folder, pid) {
			return pid
		}
	}
	return 0
}

// leads reports whether a process leads its group, and not its session (proc(5): after the name come state, parent,
// group, session).
func leads(folder string, pid int) bool {
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	own := strconv.Itoa(pid)
	return len(fields) > 3 && fields[2] == own && fields[3] != own
}
