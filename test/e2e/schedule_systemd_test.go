package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
)

// systemdHost is a container in which this machine's own systemd is the first process, with a user "op" beside root.
type systemdHost struct {
	t    *testing.T
	name string
}

func newSystemdHost(t *testing.T) *systemdHost {
	t.Helper()
	if _, err := os.Stat("/usr/lib/systemd/systemd"); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_SYSTEMD", "systemd to run in a container")
	}
	e := newEngine(t)
	h := &systemdHost{t: t, name: fmt.Sprintf("e2e-systemd-%d", os.Getpid())}
	reference := h.name + ":1"
	pam := "account required pam_permit.so\nsession required pam_permit.so\nsession optional pam_systemd.so\n"
	e.build(reference,
		entry{name: "usr", dir: true, mode: 0o755}, entry{name: "lib", link: "usr/lib"}, entry{name: "lib64", link: "usr/lib64"},
		entry{name: "sbin", link: "usr/sbin"}, entry{name: "run", dir: true, mode: 0o755}, entry{name: "home/op", dir: true, mode: 0o755, uid: 1000},
		entry{name: "root", dir: true, mode: 0o700}, entry{name: "opt", dir: true, mode: 0o755}, entry{name: "var/log/journal", dir: true, mode: 0o755}, entry{name: "var/lib", dir: true, mode: 0o755},
		entry{name: "etc/machine-id"}, entry{name: "etc/group", mode: 0o644, content: "root:x:0:\nop:x:1000:\nmessagebus:x:101:\n"},
		entry{name: "etc/passwd", mode: 0o644, content: "root:x:0:0::/root:/bin/sh\nop:x:1000:1000::/home/op:/bin/sh\nmessagebus:x:101:101::/:/bin/false\n"},
		entry{name: "etc/pam.d/systemd-user", mode: 0o644, content: pam})
	t.Cleanup(func() { _, _ = e.client.ImageRemove(context.Background(), reference, image.RemoveOptions{Force: true}) })
	e.create(h.name, container.Config{Image: reference, Entrypoint: []string{"/usr/lib/systemd/systemd"}, Cmd: []string{"--log-target=console"}, Env: []string{"container=docker"}}, container.HostConfig{
		NetworkMode: "none", CapAdd: []string{"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"}, SecurityOpt: []string{"seccomp=unconfined", "apparmor=unconfined"},
		Tmpfs: map[string]string{"/run": "", "/run/lock": "", "/tmp": ""},
		Mounts: []mount.Mount{
			{Type: mount.TypeBind, Source: "/usr", Target: "/usr", ReadOnly: true}, {Type: mount.TypeBind, Source: "/sys/fs/cgroup", Target: "/sys/fs/cgroup"},
		},
	})
	if err := e.client.ContainerStart(t.Context(), h.name, container.StartOptions{}); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_SYSTEMD", fmt.Sprintf("an engine that lets systemd run in a container (%v)", err))
	}
	program := filepath.Join(os.Getenv(programs), "sandkeeper")
	if out, err := exec.CommandContext(t.Context(), "docker", "cp", program, h.name+":/opt/sandkeeper").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		if out, _ := h.try("root", "systemctl is-system-running"); strings.Contains(out, "running") || strings.Contains(out, "degraded") {
			return h
		}
	}
	lacks(t, "SANDKEEPER_REQUIRE_SYSTEMD", "an engine that lets systemd run in a container")
	return nil
}

func (h *systemdHost) try(user, script string) (string, error) {
	home := map[string]string{"root": "/root", "op": "/home/op"}[user]
	out, err := exec.CommandContext(h.t.Context(), "docker", "exec", "-u", user, "-e", "HOME="+home, "-e", "USER="+user, "-e", "PATH=/usr/bin:/usr/sbin",
		"-e", "SANDKEEPER_ENGINES=unix:///nowhere", h.name, "/bin/sh", "-c", script).CombinedOutput()
	return string(out), err
}

func (h *systemdHost) run(user, script string) string {
	h.t.Helper()
	out, err := h.try(user, script)
	if err != nil {
		h.t.Fatalf("%s: %s: %v\n%s", user, script, err, out)
	}
	return out
}

// contains fails unless text has every word.
func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not in\n%s", word, text)
		}
	}
}

// The nightly run is installed, runs, is told in the journal with its level and its fields, is shown, and is removed: on real systemd.
func TestScheduleOnRealSystemd(t *testing.T) {
	h := newSystemdHost(t)
	sandkeeper := "/opt/sandkeeper "
	contains(t, h.run("root", sandkeeper+"schedule install --at 02:30 -- --label nightly"), "wrote  /etc/systemd/system/sandkeeper-backup.timer")
	contains(t, h.run("root", "systemctl list-timers --no-pager --all"), "02:3", "sandkeeper-backup.timer", "sandkeeper-backup.service")
	contains(t, h.run("root", "systemctl start sandkeeper-backup.service; journalctl --sync; true"), "failed") // nothing is there to be backed up, not even an engine
	contains(t, h.run("root", sandkeeper+"schedule show"), "installed for systemd", "next", "exit status 5", "backup-all ended with exit code 5")
	contains(t, h.run("root", "journalctl --no-pager -o json SANDKEEPER_COMMAND=backup-all"), `"SANDKEEPER_EXIT_CODE":"5"`, `"PRIORITY":"3"`)
	contains(t, h.run("root", "journalctl --no-pager -o cat -p err -u sandkeeper-backup"), "error: the sandboxes cannot be listed")
	contains(t, h.run("root", sandkeeper+"schedule remove; ls /etc/systemd/system; systemctl is-enabled sandkeeper-backup.timer; true"), "removed", "o such file")

	// A user whose services end with the last session is told so.
	out, err := h.try("op", sandkeeper+"schedule install")
	contains(t, out, "Nothing was installed", "loginctl enable-linger op")
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	h.run("root", "systemctl start dbus systemd-logind; loginctl enable-linger op; systemctl start user@1000; sleep 1")
	contains(t, h.run("op", sandkeeper+"schedule install --every 30m --json"), `"lingers": true`, `"installed": true`)
	contains(t, h.run("op", "XDG_RUNTIME_DIR=/run/user/1000 systemctl --user list-timers --no-pager"), "sandkeeper-backup.timer")
	h.run("root", "rm "+filepath.Join("/var/lib/systemd/linger", "op"))
	contains(t, h.run("op", sandkeeper+"schedule install"), "warning: the run waits until you are logged in")
	contains(t, h.run("op", sandkeeper+"schedule remove"), "removed  /home/op/.config/systemd/user/sandkeeper-backup.timer")
}
