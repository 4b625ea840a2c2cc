package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// podmanConf makes Podman run where this machine's cgroups are hybrid: crun refuses those, and systemd is not there to ask.
const podmanConf = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[network]
network_config_dir = "%s/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`

// rootlessUser is the user of a rootless Podman. It is in no file of this machine: the service has its own /etc/passwd and subuids, in a
// mount namespace of its own.
const rootlessUser = 23456

// startPodman runs an own Podman service until the test ends, and gives its address.
func startPodman(t *testing.T, rootless bool) string {
	t.Helper()
	for _, program := range []string{"podman", "runc", "conmon", "newuidmap", "unshare", "setpriv"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks(t, "SANDKEEPER_REQUIRE_PODMAN", "Podman to try it on: "+program)
		}
	}
	if os.Geteuid() != 0 {
		lacks(t, "SANDKEEPER_REQUIRE_PODMAN", "root, to run Podman services of its own")
	}
	dir, err := os.MkdirTemp("", "skpod") // a socket's path must be short
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "containers.conf"), fmt.Appendf(nil, podmanConf, dir), 0o644))
	socket := filepath.Join(dir, "run", "p.sock")
	must(t, os.Mkdir(filepath.Join(dir, "run"), 0o700))
	service := exec.Command("podman", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "runroot"), "--storage-driver", "overlay",
		"system", "service", "--time=0", "unix://"+socket)
	service.Env = append(os.Environ(), "CONTAINERS_CONF="+filepath.Join(dir, "containers.conf"))
	if rootless {
		service = rootlessService(t, dir, socket)
	}
	service.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var said strings.Builder
	service.Stdout, service.Stderr = &said, &said
	must(t, service.Start())
	t.Cleanup(func() {
		removeNetworkOf("unix://" + socket)
		_ = syscall.Kill(-service.Process.Pid, syscall.SIGKILL)
		_ = service.Wait()
		endLeft(dir)
		unmount(dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("%s is left behind: %v", dir, err)
		}
	})
	awaitEngine(t, "unix://"+socket, &said)
	return "unix://" + socket
}

// rootlessService is the command of a service of a user of its own.
func rootlessService(t *testing.T, dir, socket string) *exec.Cmd {
	t.Helper()
	account := fmt.Sprintf("sk:x:%d:%d::%s/home:/bin/sh\n", rootlessUser, rootlessUser, dir)
	for name, content := range map[string]string{"passwd": readFile(t, "/etc/passwd") + account, "group": readFile(t, "/etc/group") + fmt.Sprintf("sk:x:%d:\n", rootlessUser), "subuid": "sk:300000:65536\n", "subgid": "sk:300000:65536\n"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	for _, made := range []string{"home", "networks"} {
		must(t, os.Mkdir(filepath.Join(dir, made), 0o700))
	}
	for _, owned := range []string{"home", "networks", "run"} {
		must(t, os.Chown(filepath.Join(dir, owned), rootlessUser, rootlessUser))
	}
	// A user may open /dev/net/tun nearly everywhere; here it may be root's alone.
	script := fmt.Sprintf(`set -e
mknod -m 666 %[1]s/tun c 10 200 && mount --bind %[1]s/tun /dev/net/tun || true
for f in passwd group subuid subgid; do mount --bind %[1]s/$f /etc/$f; done
cd %[1]s/home
exec setpriv --reuid %[2]d --regid %[2]d --clear-groups env -i HOME=%[1]s/home XDG_RUNTIME_DIR=%[1]s/run PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	CONTAINERS_CONF=%[1]s/containers.conf podman --storage-driver vfs system service --time=0 unix://%[3]s`, dir, rootlessUser, socket)
	return exec.Command("unshare", "-m", "sh", "-c", script)
}

func awaitEngine(t *testing.T, address string, said *strings.Builder) {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(address), client.WithAPIVersionNegotiation())
	must(t, err)
	defer c.Close()
	for until := time.Now().Add(waitLimit); ; time.Sleep(100 * time.Millisecond) {
		if _, err = c.ServerVersion(t.Context()); err == nil {
			return
		}
		if time.Now().After(until) {
			lacks(t, "SANDKEEPER_REQUIRE_PODMAN", fmt.Sprintf("a Podman service that answers: %v\n%s", err, said.String()))
		}
	}
}

// removeNetworkOf removes the network that a gateway has made, with its bridge on this machine.
func removeNetworkOf(address string) {
	if c, err := client.NewClientWithOpts(client.WithHost(address), client.WithAPIVersionNegotiation()); err == nil {
		_ = c.NetworkRemove(context.Background(), "openshell-docker") // usually no test has made it
		_ = c.Close()
	}
}

// endLeft ends what a service has left running: the process that keeps a rootless user's namespaces, monitors of containers.
func endLeft(dir string) {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		command, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(process, "environ"))
		pid, err := strconv.Atoi(filepath.Base(process))
		if err == nil && pid != os.Getpid() && (strings.Contains(string(command), dir+"/") || strings.Contains(string(environment), dir+"/")) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// unmount takes away what Podman has mounted below dir and does not when it is killed.
func unmount(dir string) {
	content, _ := os.ReadFile("/proc/self/mountinfo")
	var points []string
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append([]string{fields[4]}, points...) // the last mounted first
		}
	}
	for _, point := range points {
		if plain, err := strconv.Unquote(`"` + point + `"`); err == nil {
			point = plain
		}
		_ = syscall.Unmount(point, syscall.MNT_DETACH)
	}
}
