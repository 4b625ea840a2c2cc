package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/test/e2e/gateway"
)

// TestPairIsAsTheFactsSay holds the two containers of a 0.1.x sandbox, its volumes and its state on the host against
// docs/facts/openshell-0.1.md 1.1.
func TestPairIsAsTheFactsSay(t *testing.T) {
	h := newPairHost(t)
	id := h.agent(agentImage{reference: h.tag("byoc:1"), user: "app", workdir: "/app", version: "1", changes: []string{"VOLUME /data"}})
	s := h.create(gateway.Sandbox{Name: "byoc", Image: h.tag("byoc:1")}, gateway.Ready)
	roles := h.of(s)
	if len(roles) != 2 {
		t.Fatalf("its containers have the roles %v", roles)
	}
	workload, companion := roles["sandbox"], roles["supervisor"]
	name := "/openshell-default--byoc-" + s.ID
	for what, pairs := range map[string][2]any{
		"names":                  {[]string{workload.Name, companion.Name}, []string{name, name + "-supervisor"}},
		"the workload's image":   {workload.Config.Image, id},
		"users":                  {[]string{workload.Config.User, companion.Config.User}, []string{"998:998", "65534:65534"}},
		"the workload's command": {workload.Path + " " + strings.Join(workload.Args, " "), "/.openshell/runtime/openshell-sandbox --bootstrap /.openshell/channel/sandbox/bootstrap.json"},
		"the workload's folder":  {workload.Config.WorkingDir, "/"},
		"networks":               {[]string{string(workload.HostConfig.NetworkMode), string(companion.HostConfig.NetworkMode)}, []string{"none", "host"}},
		"restart policies":       {[]string{string(workload.HostConfig.RestartPolicy.Name), string(companion.HostConfig.RestartPolicy.Name)}, []string{"", ""}},
		"the companion's root":   {companion.HostConfig.ReadonlyRootfs, true},
		"the companion's workdir": {strings.Contains(strings.Join(companion.Args, " "),
			"--backend-descriptor-file /.openshell/supervisor/runtime-descriptor.json --auth-bundle-file /.openshell/supervisor/auth.json --workdir /app "), true},
		"workspace labels": {[]string{workload.Config.Labels["openshell.ai/sandbox-workspace"], companion.Config.Labels["openshell.ai/sandbox-workspace"]}, []string{"default", ""}},
		"volumes":          {len(h.volumes(s.ID)), 2},
	} {
		if diff := cmp.Diff(pairs[1], pairs[0]); diff != "" {
			t.Errorf("%s (-facts +ours):\n%s", what, diff)
		}
	}
	mounts := map[string]string{}
	for role, c := range roles {
		for _, m := range c.Mounts {
			kind := "labelled"
			if strings.Count(m.Name, "-") == 0 {
				kind = "anonymous"
			}
			mounts[role+" "+m.Destination] = fmt.Sprintf("%s %s rw=%v", kind, m.Type, m.RW)
		}
	}
	if diff := cmp.Diff(map[string]string{
		"sandbox /.openshell/channel": "labelled volume rw=true", "sandbox /data": "anonymous volume rw=true",
		"supervisor /.openshell/channel": "labelled volume rw=false", "supervisor /.openshell/supervisor": "labelled volume rw=false",
	}, mounts); diff != "" {
		t.Errorf("mounts (-facts +ours):\n%s", diff)
	}
	if _, there := h.engine.fileIn(workload.ID, "/.openshell/runtime/openshell-sandbox"); !there {
		t.Error("the runtime is not in the workload's own file system")
	}
	for _, file := range []string{
		"sandbox.jwt", "runtime-descriptor.json", "boundary-bootstrap.json", "boundary-server.crt", "boundary-server.key", "supervisor-auth.json",
		"main-process.json", "workspace-root", "start-generation",
	} {
		if _, err := os.Stat(filepath.Join(h.state(s), file)); err != nil {
			t.Error(err)
		}
	}
}

// TestPairStopsStartsAndGoes holds what stop, start and delete do to a pair (docs/facts/openshell-0.1.md 1.2).
func TestPairStopsStartsAndGoes(t *testing.T) {
	h := newPairHost(t)
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"})
	s := h.create(gateway.Sandbox{Name: "alpha", Image: h.tag("agent:1")}, gateway.Ready)
	before := h.of(s)
	_, err := h.driver.SetPhase(t.Context(), "alpha", gateway.Stopped)
	h.must(err)
	stopped := h.of(s)
	if len(stopped) != 1 || stopped["sandbox"].State.Status != "exited" || len(h.volumes(s.ID)) != 2 {
		t.Errorf("stopped: %d containers, volumes %v", len(stopped), h.volumes(s.ID))
	}
	_, err = h.driver.SetPhase(t.Context(), "alpha", gateway.Ready)
	h.must(err)
	h.reaches("alpha", gateway.Ready)
	if now := h.of(s); now["sandbox"].ID != before["sandbox"].ID || now["supervisor"].ID == before["supervisor"].ID {
		t.Error("a start keeps the workload and makes a new companion")
	}
	h.must(os.Remove(filepath.Join(h.state(s), "runtime-descriptor.json")))
	_, err = h.driver.SetPhase(t.Context(), "alpha", gateway.Stopped)
	h.must(err)
	if _, err = h.driver.SetPhase(t.Context(), "alpha", gateway.Ready); err == nil || !strings.Contains(err.Error(), "runtime descriptor is missing; refusing") {
		t.Errorf("a start without the descriptor: %v", err)
	}
	if deleted, err := h.driver.Delete(t.Context(), "alpha"); !deleted || err != nil {
		t.Errorf("delete: %v, %v", deleted, err)
	}
	if left := h.containers(s.ID); len(left) != 0 || len(h.volumes(s.ID)) != 0 {
		t.Errorf("left behind: %v, %v", left, h.volumes(s.ID))
	}
	if _, err := os.Stat(h.state(s)); !os.IsNotExist(err) {
		t.Errorf("its state is left: %v", err)
	}
}

// TestPairEndsAsItEnds holds the phases and reasons of the ways in which a pair ends by itself or by others.
func TestPairEndsAsItEnds(t *testing.T) {
	h := newPairHost(t)
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"})
	made := func(name string, command ...string) gateway.Sandbox {
		t.Helper()
		return h.create(gateway.Sandbox{Name: name, Image: h.tag("agent:1"), Command: command}, gateway.Ready)
	}
	told := func(s gateway.Sandbox) { h.engine.end(h.of(s)["sandbox"].ID) }
	all := map[string]struct {
		command []string
		how     func(gateway.Sandbox)
		phase   gateway.Phase
		reason  string
		start   bool
	}{
		"done":    {command: ends("exit 0"), how: told, phase: gateway.Completed, reason: "MainProcessExited", start: true},
		"failed":  {command: ends("exit 3"), how: told, phase: gateway.Failed, reason: "MainProcessFailed", start: true},
		"killed":  {how: func(s gateway.Sandbox) { h.signal(s, "sandbox", "KILL") }, phase: gateway.Failed, reason: "ContainerRuntimeRestart"},
		"widowed": {how: func(s gateway.Sandbox) { h.signal(s, "supervisor", "KILL") }, phase: gateway.Failed, reason: "ControlSupervisorExited"},
	}
	sandboxes := map[string]gateway.Sandbox{}
	for name, e := range all {
		sandboxes[name] = made(name, e.command...)
	}
	for name, e := range all {
		if e.how != nil {
			e.how(sandboxes[name])
		}
		if now := h.reaches(name, e.phase); now.Reason != e.reason {
			t.Errorf("%s: %s: %s, want %s", name, now.Reason, now.Message, e.reason)
		}
		if _, err := h.driver.SetPhase(t.Context(), name, gateway.Ready); (err == nil) != e.start {
			t.Errorf("%s: started again: %v", name, err)
		}
	}
	gone := made("gone")
	h.saw(gone)
	h.must(h.engine.client.ContainerRemove(context.Background(), h.of(gone)["sandbox"].ID, container.RemoveOptions{Force: true}))
	if _, forgotten := waitFor(waitLimit, func() bool { return h.now("gone").ID == "" }); !forgotten {
		t.Error("a sandbox whose workload was removed is still known")
	}
}

// signal kills a container of a sandbox.
func (h *trueHost) signal(s gateway.Sandbox, role, signal string) {
	h.t.Helper()
	h.must(h.engine.client.ContainerKill(h.t.Context(), h.of(s)[role].ID, signal))
}

// TestPairLookAlikeIsStopped commits a workload and runs the image: the copy has the labels and more network than a workload may have.
func TestPairLookAlikeIsStopped(t *testing.T) {
	h := newPairHost(t)
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"})
	s := h.create(gateway.Sandbox{Name: "alpha", Image: h.tag("agent:1")}, gateway.Ready)
	kept, err := h.engine.client.ContainerCommit(t.Context(), h.of(s)["sandbox"].ID, container.CommitOptions{Reference: h.tag("kept:1")})
	h.must(err)
	h.images = append(h.images, kept.ID)
	copied, err := h.engine.client.ContainerCreate(t.Context(), &container.Config{Image: kept.ID, Entrypoint: []string{"/bin/sleep", "600"}, Cmd: []string{}, StopSignal: "KILL"},
		&container.HostConfig{NetworkMode: "host"}, nil, nil, "")
	h.must(err)
	h.must(h.engine.client.ContainerStart(t.Context(), copied.ID, container.StartOptions{}))
	if now := h.reaches("alpha", gateway.Failed); now.Reason != "OuterFenceViolation" {
		t.Errorf("%s: %s", now.Reason, now.Message)
	}
	seen, err := h.engine.client.ContainerInspect(t.Context(), copied.ID)
	if err != nil || seen.State.Running {
		t.Errorf("the copy runs on: %v", err)
	}
}

// TestPairsAndTheirGateway holds that a graceful end stops the sandboxes and a kill does not, and that a start gives each a new companion.
func TestPairsAndTheirGateway(t *testing.T) {
	h := newPairHost(t)
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"})
	s := h.create(gateway.Sandbox{Name: "alpha", Image: h.tag("agent:1")}, gateway.Ready)
	before := h.of(s)
	h.must(h.driver.Close())
	if now := h.of(s); len(now) != 2 || !now["sandbox"].State.Running {
		t.Errorf("after a kill of the gateway: %d containers", len(now))
	}
	h.must(h.driver.Open(t.Context()))
	h.reaches("alpha", gateway.Ready)
	if now := h.of(s); now["sandbox"].ID != before["sandbox"].ID || now["supervisor"].ID == before["supervisor"].ID {
		t.Error("the gateway's start keeps the workload and makes a new companion")
	}
	h.must(h.driver.Shutdown(t.Context()))
	if now := h.of(s); len(now) != 1 || now["sandbox"].State.Running {
		t.Errorf("after a graceful end of the gateway: %d containers", len(now))
	}
	h.must(h.driver.Open(t.Context()))
	h.reaches("alpha", gateway.Ready)
}

// TestRealPythonClient lets the real client of 0.1.5 do everything that it can to our gateway: what it cannot read, no client of that
// generation can.
func TestRealPythonClient(t *testing.T) {
	python := pythonClient(t)
	h := newPairHost(t)
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"})
	h.must(h.driver.AddWorkspace(t.Context(), "team2"))
	p := run(t, h.env, python, "testdata/client.py", h.power.address, filepath.Join(h.home, ".config/openshell/gateways/openshell/mtls"), h.tag("agent:1"))
	want := strings.Join([]string{
		"health 0.1.5", "created alpha default 1", "ready 2 DependenciesReady", "list alpha", "all default/alpha team2/alpha", "pages 1 1",
		"exec 7 out err", "stopped 7", "started 2", "deleted 1", "gone NOT_FOUND", "again 3", "suspend UNIMPLEMENTED", "",
	}, "\n")
	if diff := cmp.Diff(want, p.stdout); diff != "" || p.exit != 0 {
		t.Errorf("exit %d (-want +got):\n%s\n%s", p.exit, diff, p.stderr)
	}
}
