package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandkeeper/test/e2e/gateway"
)

// upgradeFault makes one stretch of an upgrade fail on real containers.
type upgradeFault struct {
	name    string
	arrange func(*upgradeHost)
	at      string             // the stage at which meanwhile happens
	then    func(*upgradeHost) // while the run goes on
	args    []string
	step    string // at which it is said to have failed
	says    []string
	warns   string
}

// shortReady is how long a sandbox is waited for that never comes up, and one that does: the old one after it, on a busy machine.
const shortReady = "25s"

// first makes something happen to the first sandbox that is created: the new one.
func first(u *upgradeHost, do func() error) {
	u.backend.beforeCreate = func(n int, _ gateway.Sandbox) error {
		if n == 1 {
			return do()
		}
		return nil
	}
}

func refuseFirst(u *upgradeHost) {
	first(u, func() error { return status.Error(codes.ResourceExhausted, "quota exceeded") })
}

// runs makes the first sandbox run another command, and the next one the usual one again.
func (u *upgradeHost) runs(command ...string) {
	u.backend.beforeCreate = func(n int, _ gateway.Sandbox) error {
		u.driver.Runs()
		if n == 1 {
			u.driver.Runs(command...)
		}
		return nil
	}
}

// mounted gives the first sandbox another host configuration.
func mounted(u *upgradeHost, change func(*container.HostConfig)) {
	u.backend.beforeCreate = func(n int, _ gateway.Sandbox) error {
		u.driver.Shapes(nil)
		if n == 1 {
			u.driver.Shapes(change)
		}
		return nil
	}
}

func upgradeFaults() []upgradeFault {
	return []upgradeFault{
		{name: "create refused once", arrange: refuseFirst, step: "creating", says: []string{"CreateSandbox", "quota exceeded"}},
		{
			name: "create refused for the new image always", arrange: func(u *upgradeHost) {
				u.backend.beforeCreate = func(_ int, s gateway.Sandbox) error {
					if strings.Contains(string(s.Spec), u.image) {
						return status.Error(codes.InvalidArgument, "image is not allowed here")
					}
					return nil
				}
			}, step: "creating", says: []string{"image is not allowed here"},
		},
		{
			name: "image missing", arrange: func(u *upgradeHost) {
				u.backend.beforeDelete = func(n int) error {
					if n > 1 {
						return nil
					}
					_, err := u.engine.client.ImageRemove(context.Background(), u.image, image.RemoveOptions{Force: true})
					return err
				}
			}, step: "waiting", says: []string{"ImagePullFailed"},
		},
		{
			name: "Ready, then Error", arrange: func(u *upgradeHost) {
				var ready atomic.Int32
				u.backend.phase = func(creates, _ int, s gateway.Sandbox) gateway.Phase {
					if creates == 1 && s.Phase == gateway.Ready && ready.Add(1) > 2 {
						return gateway.Failed
					}
					return s.Phase
				}
			}, args: []string{"--settle", "10s"}, step: "settling", says: []string{"did not stay so", `its gateway says "Error"`},
		},
		{
			name: "its main process ends", arrange: func(u *upgradeHost) { u.runs("/bin/mortal") },
			at: "settling", then: func(u *upgradeHost) { u.engine.end(u.only().ID) }, args: []string{"--settle", "10s"},
			step: "settling", says: []string{"did not stay so", "DependenciesNotReady|ContainerRestarting"}, // the session's end, or the container's
		},
		{
			name: "its command cannot be started", arrange: func(u *upgradeHost) { u.runs("/bin/no-such-agent") },
			step: "waiting", says: []string{`its gateway says "Error"`, "ContainerRestarting"},
		},
		{
			name: "it never comes up", arrange: func(u *upgradeHost) {
				u.backend.phase = func(creates, _ int, s gateway.Sandbox) gateway.Phase {
					if creates == 1 {
						return gateway.Provisioning
					}
					return s.Phase
				}
			}, args: []string{"--ready-limit", shortReady}, step: "waiting", says: []string{"not Ready within " + shortReady, `its gateway says "Provisioning"`},
		},
		{
			name: "it cannot live with the old home", arrange: func(u *upgradeHost) {
				u.runs("/bin/picky")
			}, args: []string{"--settle", "2s", "--ready-limit", "20s"}, step: "starting", says: []string{"is not Ready"},
		},
		{
			name: "a read-only file system", arrange: func(u *upgradeHost) {
				mounted(u, func(h *container.HostConfig) { h.ReadonlyRootfs = true })
			}, step: "waiting", says: []string{"ContainerRestarting"},
		},
		{
			name: "a full home", arrange: fullHome, step: "restoring", says: []string{"no space left on device"},
		},
		{
			name: "removed under the restore", arrange: func(u *upgradeHost) { u.runs("/bin/sleep", "600") }, // it takes its time to stop
			at: "restoring", then: func(u *upgradeHost) { u.remove() }, step: "restoring", says: []string{"has no sandbox|has no container|No such container|not found"}, // the sandbox for its gateway, or its container for the engine
		},
		{
			name: "backup damaged before the restore", at: "settling", args: []string{"--settle", "3s"},
			then: func(u *upgradeHost) { u.damageBackup() }, step: "restoring", says: []string{"damaged"}, warns: "could not be compared with its backup",
		},
		{
			name: "backup gone before the restore", at: "settling", args: []string{"--settle", "3s"},
			then: func(u *upgradeHost) { u.must(os.RemoveAll(u.backups())) }, step: "restoring", says: []string{"no backup"}, warns: "could not be compared with its backup",
		},
	}
}

// fullHome gives the new sandbox a home of 4 KB.
func fullHome(u *upgradeHost) {
	name := "e2e-full-" + u.name
	u.t.Cleanup(func() { _ = u.engine.client.VolumeRemove(context.Background(), name, true) })
	mounted(u, func(h *container.HostConfig) {
		_, err := u.engine.client.VolumeCreate(context.Background(), volume.CreateOptions{
			Name: name, DriverOpts: map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=4k"},
		})
		u.must(err)
		h.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: name, Target: "/sandbox"}}
	})
}

func (u *upgradeHost) must(err error) {
	u.t.Helper()
	if err != nil {
		u.t.Error(err)
	}
}

func (u *upgradeHost) remove() {
	u.t.Helper()
	listed, err := u.driver.List(context.Background())
	if err != nil || len(listed) != 1 {
		u.t.Fatalf("the gateway has %+v, %v", listed, err)
	}
	if _, seen := waitFor(waitLimit, func() bool { return u.driver.Saw(listed[0].ID) }); !seen {
		u.t.Error("the gateway never looked at the sandbox")
	}
	u.must(u.engine.client.ContainerRemove(context.Background(), u.only().ID, container.RemoveOptions{Force: true}))
	if _, gone := waitFor(waitLimit, func() bool {
		listed, err = u.driver.List(context.Background())
		return err == nil && len(listed) == 0
	}); !gone {
		u.t.Errorf("the gateway still has %+v, %v", listed, err)
	}
}

func (u *upgradeHost) backups() string {
	return filepath.Join(u.home, ".local/share/sandkeeper/backups")
}

// damageBackup flips one bit in the middle of every archive.
func (u *upgradeHost) damageBackup() {
	u.t.Helper()
	archives, _ := filepath.Glob(filepath.Join(u.backups(), u.name, "*", "archive.tar*"))
	if len(archives) == 0 {
		u.t.Errorf("there is no archive in %s", u.backups())
	}
	for _, path := range archives {
		content, err := os.ReadFile(path)
		u.must(err)
		content[len(content)/2] ^= 1
		u.must(os.WriteFile(path, content, 0o600))
	}
}

// TestUpgradeFaultsBringTheOldOneBack makes each stretch after the deletion fail: the old sandbox is back with every file, exit code
// and text say so, and nothing else is left.
func TestUpgradeFaultsBringTheOldOneBack(t *testing.T) {
	for _, f := range upgradeFaults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			u := newUpgradeHost(t, "running")
			if f.arrange != nil {
				f.arrange(u)
			}
			d := u.faulty(f)
			s := u.outcome(d, 1, "rolled_back")
			if s.Step != f.step || s.Unfinished {
				t.Errorf("it failed at %s (unfinished: %v), want %s", s.Step, s.Unfinished, f.step)
			}
			for _, want := range f.says {
				if !regexp.MustCompile(want).MatchString(s.Reason) {
					t.Errorf("the reason does not say %q: %s", want, s.Reason)
				}
			}
			if f.warns != "" && !strings.Contains(strings.Join(s.Warnings, "\n"), f.warns) {
				t.Errorf("the warnings do not say %q: %q", f.warns, s.Warnings)
			}
			if d.Error.Kind != "partial" || d.Error.Message != "no sandbox was upgraded: 1 rolled back" || strings.Contains(d.Error.Hint, "--resume") {
				t.Errorf("error %+v", d.Error)
			}
			u.backend.obedient()
			u.cameBack("running", s.RollbackImage)
			u.tidy(s.RollbackImage)
			t.Logf("exit %d, %s: %q, warnings %q", d.ExitCode, d.Error.Message, s.Reason, s.Warnings)
		})
	}
}

// faulty runs the upgrade with its fault. What happens meanwhile happens at its stage: the run stands still until it has.
func (u *upgradeHost) faulty(f upgradeFault) upgradeDocument {
	u.t.Helper()
	return u.decode(u.during(f.at, func(child *os.Process) {
		u.must(child.Signal(syscall.SIGSTOP))
		f.then(u)
		u.must(child.Signal(syscall.SIGCONT))
	}, f.args...).printed)
}

// outcome is what became of the one sandbox; exit code and word must be these.
func (u *upgradeHost) outcome(d upgradeDocument, exit int, word string) upgradedSandbox {
	u.t.Helper()
	if d.Result == nil || len(d.Result.Sandboxes) != 1 || d.ExitCode != exit || d.Result.Sandboxes[0].Outcome != word {
		u.t.Fatalf("exit %d, error %+v, result %+v, want exit %d and %s\nits gateway was asked: %q", d.ExitCode, d.Error, d.Result, exit, word, u.calls.since())
	}
	return d.Result.Sandboxes[0]
}

// cameBack holds that the sandbox runs from that rollback image.
func (u *upgradeHost) cameBack(state, rollbackImage string) {
	u.t.Helper()
	kept, err := u.engine.client.ImageInspect(u.t.Context(), rollbackImage)
	if err != nil {
		u.t.Fatal(err)
	}
	u.holds(state, kept.ID)
}

// rollbackImages are the images of the old sandbox that are kept.
func (u *upgradeHost) rollbackImages() (tags []string) {
	kept, err := u.engine.client.ImageList(context.Background(), image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "sandkeeper-rollback/"+u.name))})
	u.must(err)
	for _, i := range kept {
		tags = append(tags, i.RepoTags...)
	}
	return tags
}

// swept has the next backup sweep what an upgrade left that was killed while it saved. A rollback saves nothing.
func (u *upgradeHost) swept() {
	u.t.Helper()
	if half, _ := filepath.Glob(filepath.Join(u.backups(), "*/.tmp-*")); len(half) == 0 {
		return
	}
	if p := u.text("backup-all", "--only", u.name, "--offline"); p.exit != 0 {
		u.t.Errorf("the next backup exits %d\n%s%s", p.exit, p.stdout, p.stderr)
	}
}

// tidy holds that of the upgrade nothing is left but that image ("" for none): no other image, no journal entry, no staging folder.
func (u *upgradeHost) tidy(rollbackImage string) {
	u.t.Helper()
	if got := strings.Join(u.rollbackImages(), " "); got != rollbackImage {
		u.t.Errorf("rollback images %q are there, want %q", got, rollbackImage)
	}
	u.swept()
	for _, pattern := range []string{".local/state/sandkeeper/paused/*.json", ".local/state/sandkeeper/restoring/*.json", ".local/state/sandkeeper/upgrade-restoring/*.json", ".local/share/sandkeeper/backups/*/.*", ".local/share/sandkeeper/backups/.before-restore-*"} {
		if left, _ := filepath.Glob(filepath.Join(u.home, pattern)); len(left) > 0 {
			u.t.Errorf("left over: %q", left)
		}
	}
	all, err := u.driver.List(context.Background())
	u.must(err)
	for _, s := range all {
		if strings.HasPrefix(s.Name, "rehearse-") {
			u.t.Errorf("a rehearsal is left: %+v", s)
		}
	}
	p := u.text("upgrade-sandboxes", "--resume")
	if p.exit != 0 || !strings.Contains(p.stdout, "Nothing is unfinished.") {
		u.t.Errorf("the journal is not empty: exit %d\n%s%s", p.exit, p.stdout, p.stderr)
	}
}
