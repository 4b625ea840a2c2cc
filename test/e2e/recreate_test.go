package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"sandkeeper/test/e2e/gateway"
)

// waitLimit is how long an event may take on a machine that is busy with other things.
const waitLimit = 3 * time.Minute

// TestSandboxThatIsGoneComesBack: made from the recipe beside its backup, its home byte for byte, in the phase that it had; never twice.
func TestSandboxThatIsGoneComesBack(t *testing.T) {
	for _, version := range []string{trueVersion, pairVersion} {
		t.Run(version, func(t *testing.T) {
			h := newRecreateHost(t, version)
			before, files := h.saved()
			if p := h.recreate(); p.exit != 1 || !strings.Contains(p.stderr, `has a sandbox "alpha" already (Ready`) || !strings.Contains(p.stderr, "sandkeeper restore alpha --backup-dir "+h.root+" puts a backup into") {
				t.Errorf("while it is there: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			h.gone()
			if p := h.sandkeeper("restore", "alpha", "--yes"); p.exit != 10 || !strings.Contains(p.stderr, "sandkeeper restore alpha --recreate --backup-dir "+h.root+" makes it again") {
				t.Errorf("without --recreate: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			if p := h.recreate("--dry-run"); p.exit != 0 || !strings.Contains(p.stdout, "would make sandbox alpha on gateway openshell from image "+h.tag("agent:1")) || h.now("alpha").ID != "" {
				t.Errorf("dry run: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			p := h.recreate()
			if p.exit != 0 || !strings.Contains(p.stdout, "and left it running") || strings.Contains(p.stdout+p.stderr, "s3cret-value") {
				t.Fatalf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			h.back(before, files, gateway.Ready)
			if p := h.recreate(); p.exit != 1 || !strings.Contains(p.stderr, "already (Ready") {
				t.Errorf("again: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
		})
	}
}

// TestRecreateKilledAtEveryStep: kill -9 at each stage line, then the same command again: one sandbox, its home byte for byte, nothing left
// over. What is half made meanwhile is named by every command, and never saved.
func TestRecreateKilledAtEveryStep(t *testing.T) {
	steps := []string{"releasing", "creating", "waiting", "restoring", "writing", "starting"}
	for _, version := range []string{trueVersion, pairVersion} {
		t.Run(version, func(t *testing.T) {
			h := newRecreateHost(t, version)
			before, files := h.saved()
			for _, step := range steps {
				h.gone()
				h.tell()
				run := launch(t, h.env, "restore", "alpha", "--recreate", "--settle", "300ms", "--backup-dir", h.root)
				if !run.reach("alpha: " + step) {
					t.Fatalf("%s was never said:\n%s", step, run.text())
				}
				run.signal(syscall.SIGKILL)
				run.end()
				h.halfMade(step)
				if p := h.recreate(); p.exit != 0 {
					t.Fatalf("killed at %s: the next run exits %d\n%s\n%s", step, p.exit, p.stdout, p.stderr)
				}
				if h.back(before, files, gateway.Ready); t.Failed() {
					t.Fatalf("killed at %s", step)
				}
			}
		})
	}
}

// halfMade asserts that a sandbox whose home is not back is named, and that no backup of it passes for its newest state.
func (h *recreateHost) halfMade(step string) {
	h.t.Helper()
	p := h.sandkeeper("backup-all", "--only", "alpha")
	if !strings.Contains(p.stderr, `sandbox "alpha" is half made`) || !strings.Contains(p.stderr, "sandkeeper restore alpha --recreate --backup") {
		h.t.Errorf("killed at %s: the next command does not name it: exit %d\n%s\n%s", step, p.exit, p.stdout, p.stderr)
	}
	starting := strings.Contains(p.stderr, "is half made (at starting") // with its home: the kill may come that much later
	if !starting && strings.Contains(p.stdout, "1 backed up") {
		h.t.Errorf("killed at %s: what is half made was saved\n%s", step, p.stdout)
	}
}

// TestStoppedSandboxComesBackStopped, also through the newest recipe where the backup itself has none.
func TestStoppedSandboxComesBackStopped(t *testing.T) {
	h := newRecreateHost(t, pairVersion)
	before, files := h.saved()
	if _, err := h.driver.SetPhase(t.Context(), "alpha", gateway.Stopped); err != nil {
		t.Fatal(err)
	}
	if p := h.sandkeeper("backup-all", "--only", "alpha", "--offline"); p.exit != 0 {
		t.Fatalf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
	h.gone()
	p := h.recreate()
	if p.exit != 0 || !strings.Contains(p.stdout, "left it stopped") || !strings.Contains(p.stderr, "keeps no recipe: it was made with --offline, which asks no gateway; that of backup ") {
		t.Fatalf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
	h.back(before, files, gateway.Stopped)
}

// ends is a main process that waits for end, and then ends in a way of its own.
func ends(last string) []string {
	return []string{"sh", "-c", "while [ ! -e /tmp/end ]; do sleep 0.2; done; " + last}
}

// end lets such a process end.
func (e *engine) end(container string) {
	e.t.Helper()
	e.putInto(container, "/tmp", entry{name: "end", mode: 0o644})
}

// endings are the ways in which a sandbox of 0.1.x ends so that its gateway does not start it again.
func endings() map[string]string {
	return map[string]string{"a crash": "exit 139", "no memory": "exec tail /dev/zero"}
}

// TestCrashedSandboxIsRescued: OpenShell 0.1.x refuses to start it and would discard its files with it. They are saved from the stopped
// container, with the gateway or without, and come back.
func TestCrashedSandboxIsRescued(t *testing.T) {
	for ending, last := range endings() {
		for name, offline := range map[string][]string{"with the gateway": nil, "without": {"--offline"}} {
			t.Run(ending+", "+name, func(t *testing.T) {
				h := newRecreateHost(t, pairVersion)
				before, _ := h.saved(ends(last)...)
				workload := h.workload(before)
				h.engine.putInto(workload, "/sandbox", entry{name: "since", content: "the last backup", mode: 0o600, uid: 998})
				files := h.engine.now(workload)
				h.ends(before, ending == "no memory")
				if p := h.recreate("--dry-run"); p.exit != 1 || !strings.Contains(p.stderr, "sandkeeper backup-all --only alpha saves what its container holds now") {
					t.Errorf("before it is deleted: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
				}
				if p := h.sandkeeper(append([]string{"backup-all", "--only", "alpha"}, offline...)...); p.exit != 0 || !strings.Contains(p.stdout, "1 backed up") {
					t.Fatalf("backup-all: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
				}
				h.gone()
				if p := h.recreate(); p.exit != 0 {
					t.Fatalf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
				}
				now := h.now("alpha")
				h.back(before, files, now.Phase)
				if len(offline) == 0 && now.Phase != gateway.Ready {
					t.Errorf("it is %s", now.Phase)
				}
			})
		}
	}
}

// ends has the main process of a sandbox end as it was told to, and holds that its gateway refuses to start it and that diagnose knows the
// refusal.
func (h *recreateHost) ends(s gateway.Sandbox, forWantOfMemory bool) {
	h.t.Helper()
	workload := h.workload(s)
	if forWantOfMemory {
		_, err := h.engine.client.ContainerUpdate(h.t.Context(), workload, container.UpdateConfig{Resources: container.Resources{Memory: 48 << 20, MemorySwap: 48 << 20}})
		h.must(err)
	}
	h.engine.end(workload)
	var ended gateway.Sandbox // it may be Failed already: the pause of its backup shows so until its gateway looks again
	waitFor(waitLimit, func() bool { ended = h.now("alpha"); return ended.Reason == "ContainerExited" })
	seen, err := h.engine.client.ContainerInspect(h.t.Context(), workload)
	if h.must(err); seen.State.OOMKilled != forWantOfMemory {
		h.t.Fatalf("killed for want of memory: %v, exit %d", seen.State.OOMKilled, seen.State.ExitCode)
	}
	_, refused := h.driver.SetPhase(h.t.Context(), "alpha", gateway.Ready)
	if refused == nil || ended.Reason != "ContainerExited" {
		h.t.Fatalf("%s: a start is refused with %v", ended.Reason, refused)
	}
	write(h.t, filepath.Join(h.home, "said.txt"), refused.Error())
	if p := h.text("diagnose", filepath.Join(h.home, "said.txt"), "--no-host"); !strings.Contains(strings.Join(strings.Fields(p.stdout), " "), "`sandkeeper restore NAME --recreate` bring") {
		h.t.Errorf("diagnose of %v:\n%s", refused, p.stdout)
	}
}
