package gateway

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Listeners is Processes. Sockets are those of our own network namespace; one whose process this user may not look into
// has PID 0.
func (h hostProcesses) Listeners(ctx context.Context, port int) ([]Listener, error) {
	sockets, err := listeningSockets()
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(sockets, func(_ string, l Listener) bool { return l.Port != port })
	if len(sockets) == 0 {
		return nil, nil
	}
	pids, err := h.PIDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	return holding(ctx, pids, sockets), ctx.Err()
}

// Ports is Processes.
func (hostProcesses) Ports(ctx context.Context, pid int) ([]int, error) {
	if same, err := sameFile(filepath.Join(procDir(pid), "ns/net"), "/proc/self/ns/net"); err != nil || !same {
		return portsOf(ctx, pid)
	}
	sockets, err := listeningSockets()
	if err != nil {
		return nil, err
	}
	names, err := openSockets(pid)
	if err != nil {
		return nil, fmt.Errorf("the sockets of process %d: %w", pid, err)
	}
	var ports []int
	for _, name := range names {
		if socket, ok := sockets[name]; ok {
			ports = append(ports, socket.Port)
		}
	}

	slices.Sort(ports)
	return slices.Compact(ports), nil
}

// holding finds the processes that have the sockets open: several can hold one.
func holding(ctx context.Context, pids []int, sockets map[string]Listener) []Listener {
	var found []Listener
	seen := map[string]bool{}
	for _, pid := range pids {
		if ctx.Err() != nil {
			break
		}
		names, _ := openSockets(pid) // what this user may not see is told by the sockets that nobody seems to hold
		for _, name := range names {
			if socket, ok := sockets[name]; ok && !slices.ContainsFunc(found, func(l Listener) bool { return l.PID == pid && l.Address == socket.Address }) {
				socket.PID = pid
				found = append(found, socket)
				seen[name] = true
			}
		}
	}

	for name, socket := range sockets {
		if !seen[name] {
			found = append(found, socket)
		}
	}

	return found
}

// openSockets are the names of the sockets that a process has open, one for each descriptor.
func openSockets(pid int) ([]string, error) {
	sockets, whole, err := socketsIn(procDir(pid))
	if whole {
		return sockets, err
	}
	for _, dir := range threads(pid) { // threads share their descriptors; a first thread that has ended has none
		if sockets, whole, err := socketsIn(dir); whole {
			return sockets, err
		}
	}
	return nil, err
}

// socketsIn are the sockets among the descriptors of the process or thread at dir of /proc; whole is false when it has no
// descriptors, or they cannot be seen.
func socketsIn(dir string) (sockets []string, whole bool, err error) {
	folder, err := os.Open(filepath.Join(dir, "fd"))
	if err != nil {
		return nil, false, err
	}
	defer folder.Close()
	descriptors, err := folder.Readdirnames(-1)
	link := make([]byte, 64) // longer than the name of any socket
	for _, descriptor := range descriptors {
		n, err := unix.Readlinkat(int(folder.Fd()), descriptor, link)
		if err == nil && bytes.HasPrefix(link[:n], []byte("socket:")) {
			sockets = append(sockets, string(link[:n]))
		}
	}

	return sockets, err == nil && len(descriptors) > 0, err
}
