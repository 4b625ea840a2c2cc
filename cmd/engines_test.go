package cmd

import (
	"strings"
	"testing"

	"sandkeeper/internal/dockertest"
)

// Promise: whichever engine of this host runs a sandbox, it is saved and put back; Docker that is empty hides no Podman.
func TestOfflineSavesFromEveryEngine(t *testing.T) {
	h := newHost(t)
	other := newHost(t)
	other.engine.Become("another engine")
	other.engine.Add(dockertest.Container{Name: "unlike-the-first"}) // played engines count their ids from one
	other.sandbox("beta", "exited", "of the other engine")
	h.more = "," + other.engine.Host()
	out := h.mustRun("backup-all", "--offline")
	if !strings.Contains(out, "1 backed up, 0 failed, 0 skipped") {
		t.Errorf("got %q", out)
	}
	h.sandbox("alpha", "exited", "of the first engine")
	if out := h.mustRun("backup-all", "--offline"); !strings.Contains(out, "2 backed up, 0 failed, 0 skipped") {
		t.Errorf("got %q", out)
	}

	other.engine.Write("openshell-beta", "/sandbox/notes.md", []byte("changed"))
	h.mustRun("restore", "beta", "--yes")
	if got := other.content("beta"); got != "of the other engine" {
		t.Errorf("after the restore beta holds %q", got)
	}
	if got := h.content("alpha"); got != "of the first engine" {
		t.Errorf("alpha, which nobody restored, holds %q", got)
	}
}

// Promise: an engine that does not answer makes a run partial, and "no sandbox" is said of the engines that were looked at.
func TestASilentEngineMakesARunPartial(t *testing.T) {
	silent, _ := silentEngine(t)
	h := newHost(t)
	h.more = "," + silent
	for _, command := range [][]string{{"backup-all", "--offline"}, {"backup-all", "--offline", "--json"}} {
		code, stdout, stderr := h.run(append(command, "--probe-timeout", "1s")...)
		if code != ExitPartial || !strings.Contains(stdout+stderr, silent) {
			t.Errorf("%v: exit %d\n%s%s", command, code, stdout, stderr)
		}
	}
	h.sandbox("alpha", "exited", "x")
	code, stdout, stderr := h.run("backup-all", "--offline", "--probe-timeout", "1s")
	if code != ExitPartial || !strings.Contains(stdout, "1 backed up") || !strings.Contains(stderr, silent) {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	h.more = ""
	if out := newHost(t).mustRun("backup-all", "--offline"); !strings.Contains(out, "Container engines that were looked at: unix://") {
		t.Errorf("got %q", out)
	}
}
