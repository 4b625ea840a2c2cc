package gateway

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHostProcessesSeeOurselves(t *testing.T) {
	var host hostProcesses
	pids, err := host.PIDs(t.Context())
	if err != nil || !slices.Contains(pids, os.Getpid()) {
		t.Fatalf("PIDs = %d of them, %v; want ours among them", len(pids), err)
	}
	us, err := host.Look(t.Context(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if us.UID != os.Geteuid() || us.Zombie || time.Since(us.Started) > time.Hour || time.Since(us.Started) < -time.Minute {
		t.Errorf("Look = %+v, want a live process of user %d that started just now", us, os.Geteuid())
	}
	if diff := cmp.Diff(os.Args, us.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ports, err := host.Ports(t.Context(), os.Getpid())
	if port := listener.Addr().(*net.TCPAddr).Port; err != nil || !slices.Contains(ports, port) {
		t.Errorf("Ports = %v, %v; want %d among them", ports, err, port)
	}
}

func TestHostProcessesDoNotSeeTheGone(t *testing.T) {
	const beyond = 1<<22 + 1 // PID_MAX_LIMIT of Linux is 1<<22
	if _, err := (hostProcesses{}).Look(t.Context(), beyond); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Look at no process: %v, want fs.ErrNotExist", err)
	}
}
