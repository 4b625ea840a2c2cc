package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin/openshell"
)

// migrationHost is a true host of 0.0.110 with three sandboxes, which becomes one of 0.1.x in the middle of a test.
type migrationHost struct {
	*trueHost
	root   string // of the backups
	script string // of the stand-in that is the command line of 0.1.x; "" while the real one of 0.0.110 is there
	policy []byte
	homes  map[string]map[string]string // by address: what is in each home
	old    map[string]gateway.Sandbox   // by address
	kept   gateway.Beside               // what the old gateway keeps of alpha beside its recipe
}

// secret is the value of a variable of alpha. No command prints it.
const secret = "s3cret-of-alpha"

// newMigrationHost has alpha, which runs and has everything a recipe can have; byoc, whose image has WORKDIR /app, stopped; and gamma, in a
// workspace of its own.
func newMigrationHost(t *testing.T) *migrationHost {
	t.Helper()
	h := &migrationHost{trueHost: newTrueHost(t), root: filepath.Join(t.TempDir(), "backups"), homes: map[string]map[string]string{}, old: map[string]gateway.Sandbox{}}
	h.server.Records = records()
	h.agent(agentImage{reference: h.tag("agent:1"), user: "sandbox", workdir: "/sandbox", version: "1"})
	h.agent(agentImage{reference: h.tag("byoc:1"), user: "app", workdir: "/app", version: "1"})
	h.must(h.driver.AddWorkspace(t.Context(), "team2"))
	h.must(h.driver.AddWorkspace(t.Context(), "without-sandbox"))
	h.server.Records.SetSetting("ocsf_json_enabled", "true")
	h.policy = runAs("sandbox")
	h.made(gateway.Sandbox{
		Name: "alpha", Image: h.tag("agent:1"), Environment: map[string]string{"TOKEN": secret}, Labels: map[string]string{"team": "red"},
		Providers: []string{"hub"}, Policy: h.policy,
	}, "/sandbox")
	h.kept = gateway.Beside{Services: []gateway.Service{{Name: "web", Port: 8080}}, Settings: map[string]string{"proposal_approval_mode": "auto"}}
	h.server.Records.Expose(h.old["alpha"].ID, h.kept.Services[0])
	h.server.Records.Set(h.old["alpha"].ID, "proposal_approval_mode", "auto")
	h.made(gateway.Sandbox{Name: "byoc", Image: h.tag("byoc:1")}, "/app")
	h.made(gateway.Sandbox{Name: "gamma", Workspace: "team2", Image: h.tag("agent:1")}, "/sandbox")
	_, err := h.driver.SetPhase(t.Context(), "byoc", gateway.Stopped)
	h.must(err)
	h.reaches("byoc", gateway.Stopped)
	return h
}

func records() *gateway.Records {
	return gateway.NewRecords(gateway.Provider{ID: gateway.NewID(), Name: "hub", Type: "github", Credentials: []string{"GITHUB_TOKEN"}})
}

// runAs is a policy: process4{run_as_user1}, and something of a later version.
func runAs(user string) []byte {
	field := func(to []byte, n protowire.Number, v string) []byte {
		return protowire.AppendString(protowire.AppendTag(to, n, protowire.BytesType), v)
	}
	return field(field(nil, 4, string(field(nil, 1, user))), 99, "of the future")
}

// made makes a sandbox with a home.
func (h *migrationHost) made(s gateway.Sandbox, folder string) {
	h.t.Helper()
	s = h.create(s, gateway.Ready)
	id := h.container(s)
	h.engine.putInto(id, folder, home()...)
	h.engine.putInto(id, folder, entry{name: "whose", content: s.Key(), mode: 0o600, uid: 998})
	h.homes[s.Key()], h.old[s.Key()] = h.engine.within(id, folder), s
}

// sandkeeper runs it on this host as it is now.
func (h *migrationHost) sandkeeper(args ...string) printed {
	h.t.Helper()
	h.tell()
	p := h.text(append(args, "--backup-dir", h.root)...)
	if strings.Contains(p.stdout+p.stderr, secret) {
		h.t.Errorf("%q printed a secret", args)
	}
	return p
}

// ends runs it and fails the test unless it ends with exit.
func (h *migrationHost) ends(exit int, args ...string) printed {
	h.t.Helper()
	p := h.sandkeeper(args...)
	if p.exit != exit {
		h.t.Fatalf("%q: exit %d, want %d\n%s\n%s", args, p.exit, exit, p.stdout, p.stderr)
	}
	return p
}

// tell has the stand-in list what the gateway of 0.1.x has.
func (h *migrationHost) tell() {
	h.t.Helper()
	if h.script == "" {
		return
	}
	tellStandIn(h.t, h.script, h.driver, openshell.Gateway{Name: "openshell", Endpoint: "https://" + h.power.address, Auth: "mtls", Active: true})
}

// reinstall takes 0.0.110 away and puts 0.1.x in its place, with an empty database. Every container, image and file of 0.0.110 stays.
func (h *migrationHost) reinstall() {
	h.t.Helper()
	h.replace()
	database := filepath.Join(h.home, ".local/state/openshell/gateway/openshell.db")
	h.must(os.Rename(database, database+".0.0.x"))
	h.serve()
	h.server.Records = records()
}

// replace stops the old gateway and has the programs of 0.1.x take the place of its own; serve starts the new one.
func (h *migrationHost) replace() {
	h.t.Helper()
	h.power.off()
	h.must(h.driver.Close())
	old := h.driver
	h.driver = &gateway.Docker{
		Client: old.Client, Version: pairVersion, Namespace: old.Namespace, Home: old.Home, Supervisor: supervisorFile(h.t, pairVersion),
		Endpoint: old.Endpoint, TLS: old.TLS, SupervisorImage: h.supervisorImage(pairVersion),
	}
	h.script = filepath.Join(h.home, "openshell.json")
	h.openshell = filepath.Join(os.Getenv(programs), "openshell")
	h.env = append(h.env, "PATH="+filepath.Dir(h.openshell)+":/usr/bin:/bin", "OPENSHELL_STANDIN="+h.script)
}

func (h *migrationHost) serve() {
	h.t.Helper()
	h.must(h.driver.Open(context.Background()))
	h.server = &gateway.Server{Version: pairVersion, Backend: h.driver, TLS: h.server.TLS}
	h.power.server = h.server
	h.power.on()
}

// set is the exported set as it lies on disk.
func (h *migrationHost) set() (s migrationSet) {
	h.t.Helper()
	content, err := os.ReadFile(filepath.Join(h.root, "_migration/openshell/set.json"))
	h.must(err)
	if strings.Contains(string(content), secret) {
		h.t.Error("the set holds a secret")
	}
	h.must(json.Unmarshal(content, &s))
	return s
}

type migrationSet struct {
	Gateway, State, Version string
	Workspaces, Files       []string
	Providers               []struct {
		Name        string
		Credentials []string
	}
	Sandboxes []struct {
		Name, Workspace, Container, Backup, Home, RecipeIn string
		Running, Stopped, Final                            bool
		Labels                                             map[string]string
	}
}

// exported fails the test unless the set is whole: every sandbox saved after it was stopped, with the phase that it had.
func (h *migrationHost) exported() {
	h.t.Helper()
	s := h.set()
	if len(s.Sandboxes) != 3 || s.State == "" || s.Version != trueVersion || !slices.Equal(s.Workspaces, []string{"default", "team2", "without-sandbox"}) {
		h.t.Fatalf("the set is %+v", s)
	}
	for _, m := range s.Sandboxes {
		if !m.Final || !m.Stopped || m.Running != (m.Name != "byoc") || m.RecipeIn == "" {
			h.t.Errorf("in the set: %+v", m)
		}
		seen, err := h.engine.client.ContainerInspect(h.t.Context(), m.Container)
		if h.must(err); seen.State.Running {
			h.t.Errorf("%s runs", m.Name)
		}
	}
}

// sandboxes are those of the gateway as it is now.
func (h *migrationHost) sandboxes() []gateway.Sandbox {
	h.t.Helper()
	all, err := h.driver.List(h.t.Context())
	h.must(err)
	return all
}

// imports runs the import, with a short look at whether a sandbox stays Ready.
func (h *migrationHost) imports(exit int) printed {
	h.t.Helper()
	return h.ends(exit, "migrate", "import", "--settle", "300ms")
}

// migrated fails the test unless the gateway of 0.1.x has each sandbox once, as it was, and every old container is there, stopped.
func (h *migrationHost) migrated() {
	h.t.Helper()
	if all := h.sandboxes(); len(all) != len(h.old) {
		h.t.Fatalf("the gateway has %d sandboxes: %+v", len(all), all)
	}
	if diff := cmp.Diff(h.kept, h.server.Records.Beside(h.now("alpha").ID)); diff != "" {
		h.t.Errorf("what the gateway keeps of alpha (-before +after):\n%s", diff)
	}
	if got := h.server.Records.Settings()["ocsf_json_enabled"]; got != "true" && len(h.kept.Settings) > 0 {
		h.t.Errorf("the setting of the whole gateway is %q", got)
	}
	spaces, err := h.driver.Workspaces(h.t.Context())
	if h.must(err); !slices.Contains(spaces, "without-sandbox") {
		h.t.Errorf("the workspaces are %q", spaces)
	}
	for address, old := range h.old {
		want := gateway.Ready
		if address == "byoc" {
			want = gateway.Stopped
		}
		now := h.reaches(address, want)
		if now.ID == old.ID || !maps.Equal(now.Labels, old.Labels) || now.Workspace != old.Workspace && old.Workspace != "" {
			h.t.Errorf("%s is %+v, was %+v", address, now, old)
		}
		if string(now.Spec) != string(old.Spec) {
			h.t.Errorf("%s: its spec, policy included, is\n%q, was\n%q", address, now.Spec, old.Spec)
		}
		folder := "/sandbox"
		if address == "byoc" {
			folder = "/app"
		}
		if diff := cmp.Diff(h.homes[address], h.engine.within(h.of(now)["sandbox"].ID, folder)); diff != "" {
			h.t.Errorf("%s: its home (-before +after):\n%s", address, diff)
		}
		if left := h.of(old); len(left) != 1 || left[""].State == nil || left[""].State.Running {
			h.t.Errorf("%s: of its old containers there are %d", address, len(left))
		}
	}
}
