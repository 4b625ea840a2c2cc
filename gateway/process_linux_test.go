package gateway

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandkeeper/drift"
)

// seen is the process evidence of one look, with its marker.
func seen(t *testing.T, o Options) (Marker, drift.Process) {
	t.Helper()
	target := ChooseTarget(t.Context(), o)
	s := o.sight(t.Context(), target, o.readMarker(target))
	switch {
	case s.found != nil:
		return s.marker, o.processEvidence(t.Context(), s.marker, s.found)
	case s.err != nil:
		return s.marker, drift.Process{Evidence: unknown("%w", s.err)}
	}
	return s.marker, drift.Process{Evidence: absent("none")}
}

func TestProcessVersionIsThatOfTheImageThatRuns(t *testing.T) {
	tests := []struct {
		name  string
		after func(t *testing.T, path string) // what happens to the file while the process runs
	}{
		{"untouched", func(*testing.T, string) {}},
		{"replaced", func(t *testing.T, path string) { install(t, path, "0.0.44") }},
		{"deleted", func(t *testing.T, path string) { os.Remove(path) }},
		{"deleted with its folder", func(t *testing.T, path string) { os.RemoveAll(filepath.Dir(path)) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, home, dir := hostWith(t, 8080)
			path := filepath.Join(home, "bin", gatewayProgram)
			install(t, path, "0.0.37")
			gateway := launch(t, path, "")
			mark(t, dir, gateway.Process.Pid, path, time.Now())
			test.after(t, path)
			marker, got := seen(t, o)
			if marker.State != MarkerLive || got.Version.String() != "0.0.37" || got.PID != gateway.Process.Pid || got.Binary != path {
				t.Errorf("marker %s (%s), process %+v; want live, 0.0.37", marker.State, marker.Reason, got)
			}
		})
	}
}

func TestStaleMarkers(t *testing.T) {
	tests := []struct {
		name   string
		port   int
		argv   []string
		listen string
		before time.Duration // how long before now the marker was written
		end    func(t *testing.T, gateway standIn)
		want   MarkerState
		reason string
	}{
		{"tagged launch", 8096, []string{"openshell-gateway[nemoclaw=nemoclaw-8096;port=8096]"}, "", 0, nil, MarkerLive, ""},
		{"started a minute after the marker's clock", 8080, nil, "", time.Minute, nil, MarkerLive, ""},
		{"number used again by another start", 8080, nil, "", 10 * time.Minute, nil, MarkerStale, "used again"},
		{
			"number used again by another gateway, tagged", 8080,
			[]string{"openshell-gateway[nemoclaw=nemoclaw-8096;port=8096]"},
			"", 0, nil,
			MarkerStale, `the gateway of "nemoclaw-8096"`,
		},
		{"number used again by another gateway, flags", 8080, []string{"openshell-gateway", "--port", "8096"}, "", 0, nil, MarkerStale, "port 8096"},
		{"number used again by another gateway, listening", 8080, nil, "0", 0, nil, MarkerStale, "it is another gateway"},
		{"number used again by another program", 8080, []string{"vim", "/x/openshell-gateway"}, "", 0, nil, MarkerStale, `"vim"`},
		{"ended", 8080, nil, "", 0, func(_ *testing.T, gateway standIn) { gateway.Process.Kill(); gateway.Wait() }, MarkerStale, "is gone"},
		{
			"zombie", 8080, nil, "", 0, func(t *testing.T, gateway standIn) { gateway.Process.Kill(); untilAllEnded(t, gateway.Process.Pid) },
			MarkerStale, "zombie",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, home, dir := hostWith(t, test.port)
			path := filepath.Join(home, "bin", gatewayProgram)
			install(t, path, "0.0.37")
			gateway := launch(t, path, test.listen, test.argv...)
			bin := ""
			if test.want == MarkerLive {
				bin = path
			}
			mark(t, dir, gateway.Process.Pid, bin, time.Now().Add(-test.before))
			if test.end != nil {
				test.end(t, gateway)
			}
			marker, got := seen(t, o)
			if marker.State != test.want || !strings.Contains(marker.Reason, test.reason) {
				t.Errorf("marker %s (%s), want %s (…%s…)", marker.State, marker.Reason, test.want, test.reason)
			}
			if live := got.State == drift.Known; live != (test.want == MarkerLive) {
				t.Errorf("process evidence %+v beside a %s marker", got, test.want)
			}
		})
	}
}

func untilZombie(t *testing.T, pid int) {
	t.Helper()
	for range 3000 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && strings.Contains(string(status), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d did not become a zombie", pid)
}

// untilAllEnded waits for the other threads as well: a killed process loses its first one first.
func untilAllEnded(t *testing.T, pid int) {
	t.Helper()
	untilZombie(t, pid)
	for range 3000 {
		if len(threads(pid)) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("threads of process %d did not end", pid)
}

func TestALeaderThatEndedIsNotTheProcess(t *testing.T) {
	o, home, dir := hostWith(t, 8080)
	path := filepath.Join(home, "bin", gatewayProgram)
	install(t, path, "0.0.37")
	gateway := up(t, &exec.Cmd{Path: path, Args: []string{path}, Env: []string{"STAND_IN_LEADER=ends"}})
	untilZombie(t, gateway.Process.Pid)
	mark(t, dir, gateway.Process.Pid, path, time.Now())
	if marker, got := seen(t, o); marker.State != MarkerLive || got.Version.String() != "0.0.37" {
		t.Errorf("marker %s (%s), process %+v; want live, 0.0.37", marker.State, marker.Reason, got)
	}
}

func TestProcessIsFoundWithoutAMarker(t *testing.T) {
	o, home, _ := hostWith(t, 8080)
	path := filepath.Join(home, "bin", gatewayProgram)
	install(t, path, "0.0.37")
	gateway := launch(t, path, "0")
	registered(t, home, "lab", "http://127.0.0.1:"+strconv.Itoa(gateway.port), false)
	o.Gateway = "lab"
	if marker, got := seen(t, o); marker.State != MarkerAbsent || got.PID != gateway.Process.Pid || got.Version.String() != "0.0.37" || got.Binary != path {
		t.Errorf("marker %s, process %+v; want absent, %d with 0.0.37", marker.State, got, gateway.Process.Pid)
	}
	registered(t, home, "lab", "http://127.0.0.1:1", false)
	if _, got := seen(t, o); got.State != drift.Absent {
		t.Errorf("process %+v for a port on which nothing listens, want absent", got)
	}
}

func TestWhatOthersCouldHaveWrittenIsNeverExecuted(t *testing.T) {
	tests := []struct {
		name string
		harm func(t *testing.T, path string)
		why  string
	}{
		{"file that others can write", func(t *testing.T, path string) { chmod(t, path, 0o777) }, "can be written by other users"},
		{"folder that others can write", func(t *testing.T, path string) { chmod(t, filepath.Dir(path), 0o777) }, "can be written by other users"},
		{"file of another user", func(t *testing.T, path string) {
			if err := os.Chown(path, 12345, -1); err != nil {
				t.Skipf("only root can give a file away: %v", err)
			}
		}, "belongs to user 12345"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, home, dir := hostWith(t, 8080)
			path := filepath.Join(home, "bin", gatewayProgram)
			install(t, path, "0.0.37")
			gateway := launch(t, path, "")
			mark(t, dir, gateway.Process.Pid, path, time.Now())
			test.harm(t, path)
			marker, got := seen(t, o)
			if got.State != drift.Unknown || !strings.Contains(got.Why, test.why) {
				t.Errorf("process %+v, want unknown: %s", got, test.why)
			}
			if file := o.fileEvidence(t.Context(), ChooseTarget(t.Context(), o), marker, "", ""); file.State != drift.Unknown || !strings.Contains(file.Why, test.why) {
				t.Errorf("file %+v, want unknown: %s", file, test.why)
			}
		})
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestAnotherUsersProcessIsObservedNotExecuted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	o, home, dir := hostWith(t, 8080)
	path := filepath.Join(home, "bin", gatewayProgram)
	install(t, path, "0.0.37")
	for parent := filepath.Dir(path); parent != os.TempDir(); parent = filepath.Dir(parent) {
		chmod(t, parent, 0o755)
	}
	chmod(t, path, 0o755) // whatever the umask
	command := &exec.Cmd{Path: path, Args: []string{path}, Env: []string{}}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	gateway := up(t, command)
	mark(t, dir, gateway.Process.Pid, path, time.Now())
	marker, got := seen(t, o)
	if marker.State != MarkerLive || got.State != drift.Unknown || got.PID != gateway.Process.Pid || !strings.Contains(got.Why, "user 12345") {
		t.Errorf("marker %s (%s), process %+v; want live and unknown", marker.State, marker.Reason, got)
	}
}

// Root may signal everybody, and his service manager is not theirs all the same.
func TestStranger(t *testing.T) {
	for _, c := range []struct {
		us, them int
		want     string
	}{{0, 1000, "user 1000"}, {1000, 1000, ""}, {1000, 0, "user 0"}} {
		r := &running{}
		r.UID = c.them
		if got := (Options{UID: c.us}).stranger(r); got != c.want {
			t.Errorf("user %d, process of %d: %q, want %q", c.us, c.them, got, c.want)
		}
	}
}
