package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin/openshell"
)

// recreateHost is a true host of either generation with sandkeeper on it. Of 0.1.x no command line is published that tests can fetch: there
// the stand-in tells what the gateway has.
type recreateHost struct {
	*trueHost
	root   string // of the backups
	script string // of the stand-in; "" where the command line is real
}

func newRecreateHost(t *testing.T, version string) *recreateHost {
	t.Helper()
	if gateway.GenerationOf(version) != gateway.Timestamps {
		return &recreateHost{trueHost: newTrueHost(t), root: filepath.Join(t.TempDir(), "backups")}
	}
	h := &recreateHost{trueHost: newHostOf(t, version, filepath.Join(os.Getenv(programs), "openshell"), nil), root: filepath.Join(t.TempDir(), "backups")}
	h.script = filepath.Join(h.home, "openshell.json")
	h.env = append(h.env, "OPENSHELL_STANDIN="+h.script)
	h.tell()
	return h
}

// tell has the stand-in list what the gateway has.
func (h *recreateHost) tell() {
	h.t.Helper()
	if h.script == "" {
		return
	}
	tellStandIn(h.t, h.script, h.driver, openshell.Gateway{Name: "openshell", Endpoint: "https://" + h.power.address, Auth: "mtls", Active: true})
}

// tellStandIn writes the script of a stand-in: it lists what a gateway has.
func tellStandIn(t *testing.T, path string, has *gateway.Docker, as openshell.Gateway) {
	t.Helper()
	script := openshell.Script{Version: has.Version, Gateways: []openshell.Gateway{as}}
	all, err := has.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		script.Sandboxes = append(script.Sandboxes, openshell.Sandbox{
			Name: s.Name, ID: s.ID, Phase: s.Phase.String(), Reason: s.Reason, Message: s.Message, Workspace: s.Workspace, Created: s.Created, Image: s.Image, Labels: s.Labels,
		})
	}
	text, err := json.Marshal(script)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text))
}

// sandkeeper runs it on this host as it is now.
func (h *recreateHost) sandkeeper(args ...string) printed {
	h.t.Helper()
	h.tell()
	return h.text(append(args, "--backup-dir", h.root)...)
}

// document runs it with --json and reads what it prints.
func (h *recreateHost) document(into any, args ...string) {
	h.t.Helper()
	p := h.sandkeeper(append(args, "--json")...)
	if err := json.Unmarshal([]byte(p.stdout), into); err != nil || p.exit != 0 {
		h.t.Fatalf("%q: exit %d, %v\n%s\n%s", args, p.exit, err, p.stdout, p.stderr)
	}
}

// recreate runs restore --recreate.
func (h *recreateHost) recreate(args ...string) printed {
	h.t.Helper()
	return h.sandkeeper(append([]string{"restore", "alpha", "--recreate", "--settle", "300ms"}, args...)...)
}

// saved makes a sandbox "alpha" with a home, and saves it. The command is of its main process.
func (h *recreateHost) saved(command ...string) (s gateway.Sandbox, files map[string]string) {
	h.t.Helper()
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"})
	s = h.create(gateway.Sandbox{
		Name: "alpha", Image: h.tag("agent:1"), Environment: map[string]string{"TOKEN": "s3cret-value"}, Labels: map[string]string{"team": "red"}, Command: command,
	}, gateway.Ready)
	workload := h.workload(s)
	// Without CopyUIDGID: it looks the container's user up on this host.
	h.must(h.engine.client.CopyToContainer(h.t.Context(), workload, "/sandbox", archive(h.t, home()), container.CopyToContainerOptions{}))
	files = h.engine.now(workload)
	if p := h.sandkeeper("backup-all", "--only", "alpha"); p.exit != 0 {
		h.t.Fatalf("backup-all: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
	return h.now("alpha"), files
}

// workload is the id of the container that holds a sandbox's home.
func (h *recreateHost) workload(s gateway.Sandbox) string {
	h.t.Helper()
	for role, c := range h.of(s) {
		if role == "sandbox" || role == "" {
			return c.ID
		}
	}
	h.t.Fatalf("sandbox %s has no workload", s.Name)
	return ""
}

// gone deletes the sandbox and everything of it.
func (h *recreateHost) gone() {
	h.t.Helper()
	if deleted, err := h.driver.Delete(h.t.Context(), "alpha"); !deleted || err != nil {
		h.t.Fatalf("delete: %v, %v", deleted, err)
	}
	if _, gone := waitFor(waitLimit, func() bool { return h.now("alpha").ID == "" }); !gone {
		h.t.Fatal("the sandbox is still there")
	}
}

// back fails the test unless there is one sandbox, another than before, made from the same spec, with the same home.
func (h *recreateHost) back(before gateway.Sandbox, files map[string]string, phase gateway.Phase) gateway.Sandbox {
	h.t.Helper()
	now := h.reaches("alpha", phase)
	if now.ID == before.ID || now.Labels["team"] != "red" || string(now.Spec) != string(before.Spec) {
		h.t.Errorf("it is not as it was:\n%q\n%q", before.Spec, now.Spec)
	}
	got := h.engine.now(h.workload(now))
	for path, want := range files {
		if got[path] != want {
			h.t.Errorf("%s is %q, want %q", path, got[path], want)
		}
	}
	for path := range got {
		if _, had := files[path]; !had {
			h.t.Errorf("%s was not there before", path)
		}
	}
	if all := h.containers(""); len(all) != len(h.containers(now.ID)) {
		h.t.Errorf("%d containers, and %d are the sandbox's", len(all), len(h.containers(now.ID)))
	}
	left, err := filepath.Glob(filepath.Join(h.home, ".local/state/sandkeeper/recreating/*.json"))
	if h.must(err); len(left) > 0 {
		h.t.Errorf("left in the journal: %s", strings.Join(left, " "))
	}
	return now
}
