package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"sandkeeper/internal/text"

	"github.com/shirou/gopsutil/v3/net"
	"github.com/shirou/gopsutil/v3/process"
)

// Processes is the process table that an observation looks at.
type Processes interface {
	// PIDs lists every process.
	PIDs(ctx context.Context) ([]int, error)
	// Args is the command line of one process: as far as the system tells, one entry an argument. Empty for the
	// kernel's own.
	Args(ctx context.Context, pid int) ([]string, error)
	// Look examines one process; the error wraps fs.ErrNotExist when there is none, and a process that we may not
	// signal exists.
	Look(ctx context.Context, pid int) (Process, error)
	// Ports lists the TCP ports that a process listens on; an error when that cannot be seen.
	Ports(ctx context.Context, pid int) ([]int, error)
	// Listeners are the processes that hold a listening socket of that TCP port in our own network namespace, and the
	// sockets whose process this user may not see.
	Listeners(ctx context.Context, port int) ([]Listener, error)
	// Realm says whether a process is one of our own host.
	Realm(ctx context.Context, pid int) Realm
	// Holds says what a process has open and how it was started.
	Holds(ctx context.Context, pid int) Holdings
	// Image opens the executable that a process really runs, which may have been replaced or deleted, and says under
	// which path it was started. The error wraps ErrNoImage where the system gives no access to it.
	Image(ctx context.Context, pid int) (*os.File, string, error)
}

// Process is one process as it was seen.
type Process struct {
	PID     int
	UID     int // effective user id
	Args    []string
	Zombie  bool // ended, and only its entry is left
	Started time.Time
	Born    uint64 // when it started as the system keeps it: unlike Started it does not move with the clock
}

// Holdings is what a process has open and how it was started, as far as this user may see.
type Holdings struct {
	Files []string // regular files, by their paths on this host
	Env   []string // NAME=value
	Dir   string   // its working folder
	Err   error    // why Files cannot be seen
}

// once is h with every file once.
func (h Holdings) once() Holdings {
	slices.Sort(h.Files)
	h.Files = slices.Compact(h.Files)
	return h
}

// ErrNoImage means that this system does not hand out the executable of a running process.
var ErrNoImage = errors.New("this system gives no access to the image of a running process")

// hostProcesses is this host's process table, by gopsutil.
type hostProcesses struct{}

// PIDs is Processes.
func (hostProcesses) PIDs(ctx context.Context) ([]int, error) {
	pids, err := process.PidsWithContext(ctx)
	found := make([]int, 0, len(pids))
	for _, pid := range pids {
		found = append(found, int(pid))
	}
	slices.Sort(found)
	return found, err
}

// Args is Processes.
func (hostProcesses) Args(ctx context.Context, pid int) ([]string, error) {
	args, err := entry(pid).CmdlineSliceWithContext(ctx)
	if err == nil && len(args) == 0 {
		args = threadArgs(pid)
	}
	return args, err
}

// Look is Processes.
func (h hostProcesses) Look(ctx context.Context, pid int) (Process, error) {
	if err := there(ctx, pid); err != nil {
		return Process{}, err
	}
	seen := Process{PID: pid}
	var problems [4]error
	seen.Args, problems[0] = h.Args(ctx, pid)
	seen.Zombie, problems[1] = ended(ctx, pid)
	seen.UID, problems[2] = owner(ctx, pid)
	seen.Started, seen.Born, problems[3] = started(ctx, pid)
	if err := errors.Join(problems[:]...); err != nil {
		// It may have ended meanwhile; each system has its own words for that.
		return Process{}, cmp.Or(there(ctx, pid), fmt.Errorf("process %d: %w", pid, err))
	}
	return seen, nil
}

func there(ctx context.Context, pid int) error {
	exists, err := process.PidExistsWithContext(ctx, int32(pid))
	if err == nil && !exists {
		err = text.As(fs.ErrNotExist, "there is no process %d", pid)
	}
	return err
}

// portsOf is what gopsutil knows of the ports that a process listens on.
func portsOf(ctx context.Context, pid int) ([]int, error) {
	connections, err := net.ConnectionsPidWithContext(ctx, "tcp", int32(pid))
	if err != nil {
		return nil, fmt.Errorf("the sockets of process %d: %w", pid, err)
	}
	var ports []int
	for _, c := range connections {
		if c.Status == "LISTEN" {
			ports = append(ports, int(c.Laddr.Port))
		}
	}

	slices.Sort(ports)
	return slices.Compact(ports), nil
}

// entry is one row of the table; gopsutil's constructor would examine the process first.
func entry(pid int) *process.Process { return &process.Process{Pid: int32(pid)} }

func ended(ctx context.Context, pid int) (bool, error) {
	states, err := entry(pid).StatusWithContext(ctx)
	// A leader whose other threads go on is not dead: they share its memory and sockets.
	return slices.Contains(states, process.Zombie) && len(threadArgs(pid)) == 0, err
}

func owner(ctx context.Context, pid int) (int, error) {
	uids, err := entry(pid).UidsWithContext(ctx)
	if err == nil && len(uids) == 0 {
		err = errors.New("the system did not say whose it is")
	}
	if err != nil {
		return 0, err
	}
	return int(uids[min(1, len(uids)-1)]), nil // real, effective, …
}
