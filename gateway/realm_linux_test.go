package gateway

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandkeeper/drift"
)

// in starts the stand-in at path in namespaces of its own; a zero value of attributes is an ordinary process of this host.
func in(t *testing.T, attributes syscall.SysProcAttr, path, port string, argv ...string) standIn {
	t.Helper()
	command := &exec.Cmd{Path: path, Args: argv, Env: []string{"STAND_IN_PORT=" + port}, SysProcAttr: &attributes}
	if len(argv) == 0 {
		command.Args = []string{path}
	}
	return up(t, command)
}

// spaces are the namespaces that a container may have, and what is thought of a process in them.
func spaces() map[string]struct {
	attributes syscall.SysProcAttr
	want       RealmKind
} {
	type row = struct {
		attributes syscall.SysProcAttr
		want       RealmKind
	}
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	group := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	return map[string]row{
		"an ordinary process":                     {syscall.SysProcAttr{}, Ours},
		"another mount namespace (PrivateTmp)":    {syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}, Ours},
		"another process namespace (a container)": {syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}, Foreign},
		"another network namespace (a container)": {syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}, Foreign},
		"another user namespace (a rootless one)": {syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: one, GidMappings: group}, Foreign},
	}
}

// Promise: a container's file is never executed on the host, whatever its process is called, and by whichever way it is found.
func TestAContainersFileIsNeverExecuted(t *testing.T) {
	needsRoot(t, "make namespaces")
	for name, space := range spaces() {
		for _, marked := range []bool{true, false} {
			t.Run(name+", marker "+strconv.FormatBool(marked), func(t *testing.T) {
				o, home, dir := hostWith(t, 8080)
				path := filepath.Join(home, "bin", gatewayProgram)
				install(t, path, "0.0.37")
				gateway := in(t, space.attributes, path, "0")
				registered(t, home, "lab", "http://127.0.0.1:"+strconv.Itoa(gateway.port), false)
				o.Gateway = "lab"
				if marked {
					mark(t, dir, gateway.Process.Pid, path, time.Now())
				}
				marker, got := seen(t, o)
				known, executed := got.State == drift.Known, exists(filepath.Join(home, "executed"))
				if ours := space.want == Ours; known != ours || executed != ours || marked && ours != (marker.State == MarkerLive) {
					t.Errorf("marker %s (%s), process %+v, executed: %v; it is %s", marker.State, marker.Reason, got, executed, space.want)
				}
				if realm := o.Processes.Realm(t.Context(), gateway.Process.Pid); realm.Kind != space.want || (realm.Why == "") != (space.want == Ours) {
					t.Errorf("realm %+v, want %s", realm, space.want)
				}
			})
		}
	}
}

// A root folder of its own makes a process foreign, unless it runs a file of this host that only root could have put there, as a
// snap's does.
func TestAProcessWithARootOfItsOwn(t *testing.T) {
	needsRoot(t, "change the root of a process")
	o, home, _ := hostWith(t, 8080)
	inside := filepath.Join(home, "rootfs/usr/bin", gatewayProgram)
	install(t, inside, "0.0.37")
	if err := os.Chown(filepath.Dir(inside), 12345, -1); err != nil {
		t.Fatal(err)
	}
	jailed := in(t, syscall.SysProcAttr{Chroot: filepath.Join(home, "rootfs")}, "/usr/bin/"+gatewayProgram, "")
	if realm := o.Processes.Realm(t.Context(), jailed.Process.Pid); realm.Kind != Foreign {
		t.Errorf("realm %+v of a process whose file another user could have put there, want foreign", realm)
	}

	snap := exec.Command("unshare", "--mount", "sh", "-c", `mkdir "$1" && mount --rbind / "$1" && exec chroot "$1" /bin/sleep 60`, "sh", filepath.Join(home, "snap"))
	if err := snap.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = snap.Process.Kill(); _ = snap.Wait() })
	untilItRuns(t, snap.Process.Pid, "sleep")
	if realm := o.Processes.Realm(t.Context(), snap.Process.Pid); realm.Kind != Ours {
		t.Errorf("realm %+v of a process that runs a file of this host, want ours", realm)
	}
}

func untilItRuns(t *testing.T, pid int, program string) {
	t.Helper()
	for range 1000 {
		if link, err := os.Readlink(filepath.Join(procDir(pid), "exe")); err == nil && strings.HasSuffix(link, program) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d does not run %s", pid, program)
}

// Promise: what an unprivileged operator may not see is neither foreign nor ours.
func TestWhatMayNotBeSeenIsNeitherForeignNorOurs(t *testing.T) {
	needsRoot(t, "become another user")
	o, home, _ := hostWith(t, 8080)
	path := filepath.Join(home, "bin", gatewayProgram)
	install(t, path, "0.0.37")
	gateway := launch(t, path, "0")
	look := exec.Command("stat", "-L", "-c", "%d", filepath.Join(procDir(gateway.Process.Pid), "ns/net"))
	look.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	if look.Run() == nil {
		t.Skip("this system lets every user see the namespaces of every process")
	}
	if err := asUser(12345, func() {
		if realm := o.Processes.Realm(t.Context(), gateway.Process.Pid); realm.Kind != Unseen || realm.Why == "" {
			t.Errorf("realm %+v for another user, want unseen", realm)
		}
		listeners, err := o.Processes.Listeners(t.Context(), gateway.port)
		if err != nil || len(listeners) != 1 || listeners[0].PID != 0 || listeners[0].UID != 0 {
			t.Errorf("listeners %+v, %v; want one of user 0 that cannot be seen", listeners, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

func needsRoot(t *testing.T, what string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("only root can %s", what)
	}
}

// asUser runs act on a thread that has become another user, and throws the thread away.
func asUser(uid int, act func()) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
		if errno != 0 {
			done <- errno
			return
		}
		act()
		done <- nil
	}()
	return <-done
}
