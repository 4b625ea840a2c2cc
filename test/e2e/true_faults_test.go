package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandkeeper/test/e2e/gateway"
)

// agents makes sandboxes of one image, each with a file in its home, and moves the image's tag to another one afterwards.
func (h *trueHost) agents(names ...string) {
	h.t.Helper()
	a := agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"}
	h.agent(a)
	for _, name := range names {
		s := h.create(gateway.Sandbox{Name: name, Image: a.reference}, gateway.Ready)
		h.engine.put(h.container(s), entry{name: "kept", content: "work of " + name, mode: 0o644, uid: 998})
	}
	a.version = "2"
	h.agent(a)
}

// obeys puts a backend that misbehaves in front of the driver.
func (h *trueHost) obeys(u *unruly) {
	u.Backend = h.driver
	h.power.off()
	h.server.Backend = u
	h.power.on()
}

// upgrade runs upgrade-sandboxes for sandboxes of this host; others may be on the engine.
func (h *trueHost) upgrade(names []string, args ...string) upgradeDocument {
	h.t.Helper()
	argv := append([]string{filepath.Join(os.Getenv(programs), "sandkeeper"), "upgrade-sandboxes", "--settle", "300ms", "--yes", "--allow-unverified", "--json"}, append(args, onlyThese(names)...)...)
	var d upgradeDocument
	p := run(h.t, h.env, argv...)
	decodeInto(h.t, p.stdout, &d)
	return d
}

func onlyThese(names []string) (args []string) {
	for _, name := range names {
		args = append(args, "--only", name)
	}
	return args
}

// holdsWork reports whether a sandbox is in a phase and has its file.
func (h *trueHost) holdsWork(name string, want gateway.Phase) {
	h.t.Helper()
	s := h.reaches(name, want)
	if content, _ := h.engine.fileIn(h.container(s), "/sandbox/kept"); content != "work of "+name {
		h.t.Errorf("its file has become %q", content)
	}
}

// saves runs backup-all for the sandboxes of a name and answers the archive of each.
func (h *trueHost) saves(name string, want int) (paths []string) {
	h.t.Helper()
	got := h.document("backup-all", "--backup-dir", filepath.Join(h.t.TempDir(), "backups"), "--only", name)
	if got.ExitCode != 0 || got.Result == nil || got.Result.Totals["backedUp"] != want {
		h.t.Fatalf("backup-all: exit %d, error %+v, result %+v", got.ExitCode, got.Error, got.Result)
	}
	for _, s := range got.Result.Sandboxes {
		paths = append(paths, archivePath(s.Backup.Path))
	}
	return paths
}

// The home is the agent's workspace root: what an agent made in /app is in the backup.
func TestHomeOfTheImageIsSaved(t *testing.T) {
	h := newTrueHost(t)
	h.agent(agentImage{reference: h.tag("byoc:1"), user: "app", workdir: "/app", version: "1"})
	s := h.create(gateway.Sandbox{Name: "byoc", Image: h.tag("byoc:1")}, gateway.Ready)
	h.engine.putInto(h.container(s), "/app", entry{name: "kept", content: "work", mode: 0o644, uid: 998})
	if _, lines := unpack(t, h.saves("byoc", 1)[0]); !strings.HasPrefix(lines["kept"], "file ") {
		t.Errorf("the backup holds %v", lines)
	}
}

// A moved tag is stale: the gateway made the container from an image id, and the tag names another one now.
func TestMovedTagIsStale(t *testing.T) {
	h := newTrueHost(t)
	h.agents("alpha")
	if d := h.upgrade([]string{"alpha"}, "--check"); d.ExitCode != 4 || d.Result == nil || d.Result.Totals["stale"] != 1 {
		t.Errorf("exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
}

// An upgrade stops through the gateway, and brings a running sandbox back to Ready and a stopped one to Stopped.
func TestUpgradeKeepsThePhase(t *testing.T) {
	h := newTrueHost(t)
	h.agents("runs", "rests")
	if _, err := h.driver.SetPhase(t.Context(), "rests", gateway.Stopped); err != nil {
		t.Fatal(err)
	}
	var asked calls
	h.power.off()
	h.server.Calls = asked.add
	h.power.on()
	if d := h.upgrade([]string{"runs", "rests"}); d.ExitCode != 0 || d.Result == nil || d.Result.Totals["upgraded"] != 2 {
		t.Errorf("exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	h.holdsWork("runs", gateway.Ready)
	h.holdsWork("rests", gateway.Stopped)
	if !slices.Contains(asked.since(), "StopSandbox") {
		t.Errorf("the gateway was asked for %v", asked.since())
	}
}

// A restore stops through the gateway, so that it never calls the sandbox failed, and brings a running sandbox back to Ready. A stopped one stays
// Stopped.
func TestRestoreKeepsThePhase(t *testing.T) {
	h := newTrueHost(t)
	h.agents("runs", "rests")
	if _, err := h.driver.SetPhase(t.Context(), "rests", gateway.Stopped); err != nil {
		t.Fatal(err)
	}
	backups := filepath.Join(t.TempDir(), "backups")
	if got := h.document("backup-all", "--backup-dir", backups, "--only", "runs", "--only", "rests"); got.ExitCode != 0 {
		t.Fatalf("backup-all: exit %d, error %+v, result %+v", got.ExitCode, got.Error, got.Result)
	}
	var asked calls
	h.power.off()
	h.server.Calls = asked.add
	h.power.on()
	for name, phase := range map[string]gateway.Phase{"runs": gateway.Ready, "rests": gateway.Stopped} {
		h.engine.put(h.container(h.now(name)), entry{name: "kept", content: "lost", mode: 0o644, uid: 998})
		asked.begin()
		p := h.text("restore", name, "--backup-dir", backups, "--yes")
		if p.exit != 0 {
			t.Fatalf("restore of %s: exit %d\n%s", name, p.exit, p.stderr)
		}
		h.holdsWork(name, phase)
		stopped, started := slices.Contains(asked.since(), "StopSandbox"), slices.Contains(asked.since(), "StartSandbox")
		if ran := phase == gateway.Ready; stopped != ran || started != ran {
			t.Errorf("%s: its gateway was asked for %v", name, asked.since())
		}
	}
}

// A restore that is killed while its sandbox is stopped leaves it to the next run of any command, which starts it through the gateway: a Stopped
// sandbox whose container somebody else starts stays Stopped there, and is stopped with the next restart of its gateway.
func TestKilledRestoreIsStartedThroughItsGateway(t *testing.T) {
	h := newTrueHost(t)
	h.agents("alpha")
	backups := filepath.Join(t.TempDir(), "backups")
	if got := h.document("backup-all", "--backup-dir", backups, "--only", "alpha"); got.ExitCode != 0 {
		t.Fatalf("backup-all: exit %d, error %+v, result %+v", got.ExitCode, got.Error, got.Result)
	}
	for _, stage := range []string{"stopping", "starting"} {
		h.engine.put(h.container(h.now("alpha")), entry{name: "kept", content: "newer", mode: 0o644, uid: 998})
		run := launch(t, h.env, "restore", "alpha", "--backup-dir", backups, "--yes")
		if !run.reach("alpha: " + stage) {
			t.Fatalf("it never said %s:\n%s", stage, run.text())
		}
		run.signal(syscall.SIGKILL)
		run.end()
		next := h.text("backups", "list", "--backup-dir", backups)
		s := h.reaches("alpha", gateway.Ready)
		if content, _ := h.engine.fileIn(h.container(s), "/sandbox/kept"); content != "newer" && content != "work of alpha" {
			t.Errorf("killed while %s: its file has become %q", stage, content)
		}
		t.Logf("killed while %s, the next run said:\n%s", stage, next.stderr)
	}
}

// A gateway accepts the rollback image under its default policy: an upgrade that fails after the deletion brings the old sandbox back.
func TestRollbackImageIsAccepted(t *testing.T) {
	h := newTrueHost(t)
	h.agents("alpha")
	refused := false
	h.obeys(&unruly{beforeCreate: func(_ int, s gateway.Sandbox) error {
		if s.Name != "alpha" || refused {
			return nil
		}
		refused = true
		return status.Error(codes.ResourceExhausted, "quota exceeded")
	}})
	if d := h.upgrade([]string{"alpha"}); d.ExitCode != 1 || d.Result == nil || d.Result.Totals["rolledBack"] != 1 {
		t.Errorf("exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	h.holdsWork("alpha", gateway.Ready)
}

// What a gateway refuses is found while the old sandbox runs: here an image of root, which no supervisor runs.
func TestRefusedImageIsFoundBeforeTheStop(t *testing.T) {
	h := newTrueHost(t)
	h.agents("alpha")
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "3", changes: []string{"USER 0"}})
	before := h.inspected("alpha")
	if d := h.upgrade([]string{"alpha"}); d.ExitCode != 1 || d.Result == nil || !strings.Contains(d.Result.Sandboxes[0].Reason, "OCI USER '0' selects UID 0") &&
		!strings.Contains(d.Result.Sandboxes[0].Reason, "ContainerRestarting") {
		t.Errorf("exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	h.unnoticed("alpha", before)
}

// unnoticed holds that a sandbox is what it was, and that nothing of a rehearsal is left.
func (h *trueHost) unnoticed(name string, before container.InspectResponse) {
	h.t.Helper()
	if now := h.inspected(name); now.ID != before.ID || now.State.StartedAt != before.State.StartedAt {
		h.t.Errorf("container %s, started %s, became %s, started %s", before.ID, before.State.StartedAt, now.ID, now.State.StartedAt)
	}
	h.holdsWork(name, gateway.Ready)
	if all, _ := h.driver.List(h.t.Context()); len(all) != 1 || len(h.containers("")) != 1 {
		h.t.Errorf("a rehearsal is left behind: %+v", all)
	}
}

// What an extension adds is rehearsed: workload-identity mounts a folder of the host, which a gateway refuses by default.
func TestRefusedMountOfAnExtensionIsFoundBeforeTheStop(t *testing.T) {
	h := newTrueHost(t)
	h.agents("alpha")
	before := h.inspected("alpha")
	tokens, config := t.TempDir(), filepath.Join(h.home, ".config/sandkeeper")
	write(t, filepath.Join(tokens, "token"), "made up")
	h.must(os.MkdirAll(config, 0o700))
	write(t, filepath.Join(config, "config.toml"), `[compute]
extensions = ["workload-identity"]
[compute.extension."workload-identity"]
provider = "aws"
role_arn = "`+sandboxRole+`"
token_source = "`+tokens+`"
token_target = "`+tokenTarget+`"
`)
	d := h.upgrade([]string{"alpha"})
	if d.ExitCode != 1 || d.Result == nil || !strings.Contains(d.Result.Sandboxes[0].Reason, "enable_bind_mounts = true") ||
		!strings.Contains(d.Result.Sandboxes[0].Reason, "nothing was touched") {
		t.Errorf("exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	t.Logf("it says: %+v", d.Result)
	h.unnoticed("alpha", before)
}

func (h *trueHost) inspected(name string) container.InspectResponse {
	h.t.Helper()
	seen, err := h.engine.client.ContainerInspect(h.t.Context(), h.container(h.now(name)))
	h.must(err)
	return seen
}

// An unfinished upgrade holds up its own sandbox, never another; and it ends when its operator has made the sandbox anew by hand, or gives
// it up. What was made by hand is not touched.
func TestUnfinishedUpgradeBlocksNobodyElse(t *testing.T) {
	h := newTrueHost(t)
	h.agents("stuck", "given", "free")
	refused := true
	h.obeys(&unruly{beforeCreate: func(_ int, s gateway.Sandbox) error {
		if refused && s.Name != "free" {
			return status.Error(codes.ResourceExhausted, "quota exceeded")
		}
		return nil
	}})
	d := h.upgrade([]string{"stuck", "given", "free"})
	if d.ExitCode != 3 || d.Result == nil || d.Result.Totals["upgraded"] != 1 || d.Result.Totals["failed"] != 2 {
		t.Fatalf("all three: exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	for _, s := range d.Result.Sandboxes {
		if s.RollbackImage != "" {
			h.images = append(h.images, s.RollbackImage) // which stays, as its upgrade is ended without it
		}
	}
	h.holdsWork("free", gateway.Ready)
	refused = false
	if d := h.upgrade([]string{"stuck", "free"}); d.ExitCode != 1 || d.Result == nil || !strings.Contains(d.Error.Message, "not finished") || d.Result.Totals["current"] != 1 {
		t.Errorf("again: exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	made := h.create(gateway.Sandbox{Name: "stuck", Image: h.tag("agent:1")}, gateway.Ready)
	if d := h.upgrade([]string{"stuck"}, "--resume"); d.Result == nil || d.Result.Sandboxes[0].Unfinished || !strings.Contains(d.Result.Sandboxes[0].Reason, "with id "+made.ID+", which is left alone") {
		t.Errorf("made by hand: exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	if now := h.now("stuck"); now.ID != made.ID || now.Phase != gateway.Ready {
		t.Errorf("what was made by hand became %+v", now)
	}
	if d := h.upgrade(nil, "--forget", "given"); d.ExitCode != 0 || d.Result == nil || d.Result.Totals["forgotten"] != 1 {
		t.Errorf("given up: exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	if d := h.upgrade([]string{"given"}, "--rollback"); d.ExitCode != 10 {
		t.Errorf("after it was given up: exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
}

// Two sandboxes of one name in two workspaces are two: each has its own backups.
func TestWorkspacesShareNoFolder(t *testing.T) {
	h := newTrueHost(t)
	h.must(h.driver.AddWorkspace(t.Context(), "team2"))
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"})
	for _, workspace := range []string{"default", "team2"} {
		s := h.create(gateway.Sandbox{Name: "alpha", Workspace: workspace, Image: h.tag("agent:1")}, gateway.Ready)
		h.engine.put(h.container(s), entry{name: "of", content: workspace, mode: 0o644, uid: 998})
	}
	paths := h.saves("alpha", 2)
	if filepath.Dir(filepath.Dir(paths[0])) == filepath.Dir(filepath.Dir(paths[1])) {
		t.Errorf("both are in %s", filepath.Dir(filepath.Dir(paths[0])))
	}
}

// A missing bind source makes the engine's archive API fail; the home is saved all the same.
func TestHomeIsSavedWithoutItsBindSource(t *testing.T) {
	h := newTrueHost(t, func(d *gateway.Docker) { d.EnableBindMounts = true })
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"})
	source := filepath.Join(t.TempDir(), "source")
	h.must(os.Mkdir(source, 0o755))
	spec := protoPart(6, protoText(1, h.tag("agent:1")), protoPart(11, bindConfig(t, source, "/data")))
	if _, err := h.driver.Create(t.Context(), gateway.Sandbox{Name: "bound", Spec: spec}); err != nil {
		t.Fatal(err)
	}
	s := h.reaches("bound", gateway.Ready)
	h.engine.put(h.container(s), entry{name: "kept", content: "work of bound", mode: 0o644, uid: 998})
	h.must(os.Remove(source))
	if _, lines := unpack(t, h.saves("bound", 1)[0]); !strings.HasPrefix(lines["kept"], "file ") {
		t.Errorf("the backup holds %v", lines)
	}
}

// A half-done home is not a backup: backup-all passes over a sandbox whose upgrade was killed in the middle of the restore.
func TestHalfDoneHomeIsNotABackup(t *testing.T) {
	u := newUpgradeHost(t, "running")
	u.killAt("settling")
	got := u.document("backup-all", "--only", u.name)
	if got.Result == nil || got.Result.Totals["backedUp"] != 0 {
		t.Errorf("exit %d, error %+v, result %+v", got.ExitCode, got.Error, got.Result)
	}
	u.settledAs(u.outcome(u.upgrade("--resume"), 0, "upgraded"))
}

// Two sandboxes of one name in two workspaces are upgraded in one run, each in its own.
func TestUpgradeInEveryWorkspace(t *testing.T) {
	h := newTrueHost(t)
	h.must(h.driver.AddWorkspace(t.Context(), "team2"))
	a := agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"}
	h.agent(a)
	before := map[string]gateway.Sandbox{}
	for _, workspace := range []string{"default", "team2"} {
		s := h.create(gateway.Sandbox{Name: "alpha", Workspace: workspace, Image: a.reference}, gateway.Ready)
		h.engine.put(h.container(s), entry{name: "of", content: workspace, mode: 0o644, uid: 998})
		before[workspace] = s
	}
	a.version = "2"
	h.agent(a)
	d := h.upgrade([]string{"alpha"})
	if d.ExitCode != 0 || d.Result == nil || d.Result.Totals["upgraded"] != 2 {
		t.Fatalf("exit %d, error %+v, result %+v", d.ExitCode, d.Error, d.Result)
	}
	all, err := h.driver.List(t.Context())
	h.must(err)
	for _, s := range all {
		if content, _ := h.engine.fileIn(h.container(s), "/sandbox/of"); s.ID == before[s.Workspace].ID || content != s.Workspace {
			t.Errorf("alpha of %s has id %s, was %s, and holds %q", s.Workspace, s.ID, before[s.Workspace].ID, content)
		}
	}
	if len(all) != 2 {
		t.Errorf("the gateway has %d sandboxes", len(all))
	}
}

// A manifest keeps the tag that was asked for, the id that it named then, and the supervisor's version: a container knows the id alone.
func TestManifestKeepsTheTagAndTheSupervisor(t *testing.T) {
	h := newTrueHost(t)
	h.agents("alpha")
	root := filepath.Join(t.TempDir(), "backups")
	if got := h.document("backup-all", "--backup-dir", root, "--only", "alpha"); got.ExitCode != 0 {
		t.Fatalf("backup-all: exit %d, error %+v", got.ExitCode, got.Error)
	}
	p := h.text("backups", "show", "alpha", "--backup-dir", root, "--json")
	var shown struct {
		Result struct {
			Manifest struct {
				Image    struct{ Reference, Digest string }
				Versions struct{ Supervisor string }
			}
		}
	}
	decodeInto(t, p.stdout, &shown)
	m := shown.Result.Manifest
	if m.Image.Reference != h.tag("agent:1") || m.Image.Digest != h.images[0] || m.Versions.Supervisor != trueVersion {
		t.Errorf("the manifest has %+v, want image %s (%s)", m, h.tag("agent:1"), h.images[0])
	}
	if text := h.text("backups", "show", "alpha", "--backup-dir", root).stdout; !strings.Contains(text, h.tag("agent:1")+" ("+h.images[0]+")") ||
		!strings.Contains(text, "supervisor "+trueVersion) {
		t.Errorf("backups show:\n%s", text)
	}
}
