package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // reads the gateway's database

	"sandkeeper/test/e2e/gateway"
)

// recording is a file of the recordings.
func recording(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata/recordings/openshell-0.0.110", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestHostIsLikeTheRecordedOne holds our test gateway, its driver and its supervisor against what a real host of 0.0.110 showed. What
// may differ is named in different, and nothing else may.
func TestHostIsLikeTheRecordedOne(t *testing.T) {
	h := newTrueHost(t)
	tag := "e2e-" + h.driver.Namespace
	h.agent(agentImage{reference: tag + "/agent:2.0", user: "sandbox", workdir: "/sandbox", version: "2.0"})
	h.agent(agentImage{reference: tag + "/byoc:1.0", user: "app", workdir: "/app", version: "1.0"})
	byoc := h.create(gateway.Sandbox{Name: "byoc", Image: tag + "/byoc:1.0"}, gateway.Ready)
	beta := h.create(gateway.Sandbox{Name: "beta", Image: tag + "/agent:2.0"}, gateway.Ready)

	h.part("inspect of a Ready sandbox", func(t *testing.T) { h.inspectIsLike(t, beta, "inspect-beta.json") })
	h.part("inspect of one with its home in /app", func(t *testing.T) { h.inspectIsLike(t, byoc, "inspect-byoc.json") })
	h.part("network", h.networkIsLike)
	h.part("get", func(t *testing.T) { h.isLike(t, "sandbox-get-byoc.json", h.cliJSON("sandbox", "get", "byoc")) })
	t.Run("list", func(t *testing.T) {
		var want []any
		decodeInto(t, recording(t, "sandbox-list.json"), &want)
		if diff := cmp.Diff(steadied(want[:2], nil), steadied(h.cliJSON("sandbox", "list"), h.places())); diff != "" {
			t.Errorf("(-recorded +ours):\n%s", diff)
		}
	})
	h.part("status", func(t *testing.T) { h.isLike(t, "status.json", h.cliJSON("status")) })
	h.part("gateway info", func(t *testing.T) { h.isLike(t, "gateway-info.json", h.cliJSON("gateway", "info")) })
	h.part("gateway list", func(t *testing.T) { h.isLike(t, "gateway-list.json", h.cliJSON("gateway", "list")) })
	h.part("metadata", h.metadataIsLike)
	h.part("database", h.databaseIsLike)
	h.part("paused", func(t *testing.T) { h.pausedIsLike(t, beta) })
	h.part("stopped", func(t *testing.T) { h.stoppedIsLike(t) })
	h.part("stopped behind the gateway's back", func(t *testing.T) { h.stoppedBehindIsLike(t, beta) })
}

// part is a subtest in which the host's own failures are those of the subtest.
func (h *trueHost) part(name string, check func(*testing.T)) {
	whole, engines := h.t, h.engine.t
	whole.Run(name, func(t *testing.T) {
		h.t, h.engine.t = t, t
		defer func() { h.t, h.engine.t = whole, engines }()
		check(t)
	})
}

func decodeInto(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

// isLike compares a document with a recorded one.
func (h *trueHost) isLike(t *testing.T, name string, got any) {
	t.Helper()
	var want any
	decodeInto(t, recording(t, name), &want)
	if diff := cmp.Diff(steadied(want, nil), steadied(got, h.places())); diff != "" {
		t.Errorf("%s (-recorded +ours):\n%s", name, diff)
	}
}

// places are the names of this host, and what the recorded one had in their stead.
func (h *trueHost) places() *strings.Replacer {
	_, port, _ := strings.Cut(h.power.address, ":")
	return strings.NewReplacer(h.home, "/home/op", ":"+port, ":17670", h.driver.Namespace, "default", h.engine.root(), "/opt/docker")
}

// root is the folder in which the engine keeps everything.
func (e *engine) root() string {
	e.t.Helper()
	info, err := e.client.Info(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	return info.DockerRootDir
}

func (h *trueHost) inspectIsLike(t *testing.T, s gateway.Sandbox, name string) {
	t.Helper()
	_, raw, err := h.engine.client.ContainerInspectWithRaw(t.Context(), h.container(s), false)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	decodeInto(t, string(raw), &got)
	h.isLike(t, name, []any{got})
}

func (h *trueHost) networkIsLike(t *testing.T) {
	var want []map[string]any
	decodeInto(t, recording(t, "network.json"), &want)
	seen, err := h.engine.client.NetworkInspect(t.Context(), "openshell-docker", network.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for key, ours := range map[string]any{"Driver": seen.Driver, "Attachable": seen.Attachable, "Internal": seen.Internal, "Scope": seen.Scope} {
		if want[0][key] != ours {
			t.Errorf("%s is %v, recorded %v", key, ours, want[0][key])
		}
	}
	if diff := cmp.Diff(want[0]["Labels"], any(map[string]any{"openshell.ai/managed-by": seen.Labels["openshell.ai/managed-by"]})); diff != "" {
		t.Errorf("labels (-recorded +ours):\n%s", diff)
	}
}

func (h *trueHost) metadataIsLike(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(h.home, ".config/openshell/gateways/openshell/metadata.json"))
	if err != nil {
		t.Fatal(err)
	}
	if want, got := recording(t, "metadata.json"), h.places().Replace(string(content)); got != want {
		t.Errorf("%s\nrecorded:\n%s", got, want)
	}
}

// databaseIsLike compares schema, migrations, journal mode and kinds of objects. Credentials and ssh sessions are of no use here.
func (h *trueHost) databaseIsLike(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.home, ".local/state/openshell/gateway/openshell.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	schema := strings.Join(column(t, db, `SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid`), "\n")
	if diff := cmp.Diff(strings.TrimSpace(recording(t, "schema.sql")), schema); diff != "" {
		t.Errorf("schema (-recorded +ours):\n%s", diff)
	}
	kept := strings.Split(recording(t, "database.txt"), "\n")
	if diff := cmp.Diff(kept[1:5], column(t, db, `SELECT version || '|' || description || '|' || success || '|' || hex(checksum) FROM _sqlx_migrations`)); diff != "" {
		t.Errorf("migrations (-recorded +ours):\n%s", diff)
	}
	if mode := column(t, db, `PRAGMA journal_mode`); !slices.Contains(kept, mode[0]) {
		t.Errorf("journal mode %v", mode)
	}
	for _, kind := range column(t, db, `SELECT DISTINCT object_type FROM objects`) {
		if !slices.ContainsFunc(kept, func(line string) bool { return strings.HasPrefix(line, kind+"|") }) {
			t.Errorf("objects of type %s are not in the recorded database", kind)
		}
	}
	if policies := column(t, db, `SELECT version || status FROM objects WHERE object_type = 'sandbox_policy'`); len(policies) != 2 || policies[0] != "1loaded" {
		t.Errorf("policies %v, want revision 1 of each sandbox", policies)
	}
}

func column(t *testing.T, db *sql.DB, query string) (values []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// pausedIsLike holds a sandbox for longer than the gateway looks away: it is in Error, and Ready again soon after.
func (h *trueHost) pausedIsLike(t *testing.T, s gateway.Sandbox) {
	kept := recording(t, "phase-while-paused.txt")
	if !strings.Contains(kept, "paused 3s: Error") || !strings.Contains(kept, "unpaused 2s: Ready") {
		t.Fatalf("recorded is another thing: %s", kept)
	}
	id := h.container(s)
	h.must(h.engine.client.ContainerPause(t.Context(), id))
	if now := h.reaches("beta", gateway.Failed); now.Reason != "ContainerPaused" {
		t.Errorf("its reason is %s: %s", now.Reason, now.Message)
	}
	h.must(h.engine.client.ContainerUnpause(t.Context(), id))
	h.reaches("beta", gateway.Ready)
}

func (h *trueHost) stoppedIsLike(t *testing.T) {
	tag := "e2e-" + h.driver.Namespace
	delta := h.create(gateway.Sandbox{Name: "delta", Image: tag + "/agent:2.0"}, gateway.Ready)
	if p := h.cli("sandbox", "stop", "delta"); p.exit != 0 || p.stderr+p.stdout != recording(t, "sandbox-stop.txt") {
		t.Errorf("sandbox stop: exit %d, %q%q", p.exit, p.stdout, p.stderr)
	}
	h.isLike(t, "sandbox-get-stopped.json", h.cliJSON("sandbox", "get", "delta"))
	h.inspectIsLike(t, delta, "inspect-stopped.json")
	time.Sleep(3 * time.Second) // a look at the container does not change it
	h.reaches("delta", gateway.Stopped)
	if p := h.cli("sandbox", "start", "delta"); p.exit != 0 || p.stderr+p.stdout != recording(t, "sandbox-start.txt") {
		t.Errorf("sandbox start: exit %d, %q%q", p.exit, p.stdout, p.stderr)
	}
	h.reaches("delta", gateway.Ready)
}

// stoppedBehindIsLike stops a container: its sandbox is in Error, which neither start nor stop leaves.
func (h *trueHost) stoppedBehindIsLike(t *testing.T, s gateway.Sandbox) {
	id := h.container(s)
	h.must(h.engine.client.ContainerStop(t.Context(), id, container.StopOptions{}))
	h.reaches("beta", gateway.Failed)
	started, stopped := h.cli("sandbox", "start", "beta"), h.cli("sandbox", "stop", "beta")
	for words, p := range map[string]printed{
		"sandbox must be Stopped to start (current phase: Error)": started,
		"sandbox must be Ready to stop (current phase: Error)":    stopped,
	} {
		if p.exit != 1 || !strings.Contains(p.stderr, words) {
			t.Errorf("exit %d, %q, want %q", p.exit, p.stderr, words)
		}
	}
	if !strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(recording(t, "error-texts.txt"), "│", "")), " "),
		"sandbox must be Stopped to start (current phase: Error)") {
		t.Error("the recorded refusal is another one")
	}
	h.must(h.engine.client.ContainerStart(t.Context(), id, container.StartOptions{}))
	h.reaches("beta", gateway.Ready)
}

// different are the paths of values that may differ: the engine's own ids, addresses and times, and what follows from its version.
func different() []string {
	return []string{
		"Created", "Hostname", "Pid", "StartedAt", "FinishedAt", "SandboxID", "SandboxKey", "EndpointID", "NetworkID", "LowerDir",
		"Gateway", "IPAddress", "MacAddress", "IPPrefixLen", "Aliases", "ConsoleSize", "driver_version", "created_at", "resource_version",
		"Dns", "DnsOptions", "DnsSearch", // null or [], also among the recordings
		"CgroupnsMode", "MaskedPaths", // of the kernel and the engine
		"Mounts", // in any order; binds holds them
	}
}

var (
	hash64 = regexp.MustCompile(`[0-9a-f]{64}`)
	uuid   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	ipv4   = regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`)
)

// steadied replaces what differs from host to host: named values by their kind, ids and addresses within texts by a word.
func steadied(v any, places *strings.Replacer) any {
	switch v := v.(type) {
	case map[string]any:
		all := map[string]any{}
		for key, value := range v {
			if slices.Contains(different(), key) {
				all[key] = "<differs>"
				continue
			}
			all[key] = steadied(value, places)
		}
		return all
	case []any:
		var all []any
		for _, value := range v {
			all = append(all, steadied(value, places))
		}
		if len(v) > 0 && strings.HasSuffix(fmt.Sprint(v[0]), "_ADMIN") {
			return capabilities(v)
		}
		return all
	case string:
		if places != nil {
			v = places.Replace(v)
		}
		return ipv4.ReplaceAllString(uuid.ReplaceAllString(hash64.ReplaceAllString(v, "<hash>"), "<id>"), "<address>")
	}
	return v
}

// capabilities are in the order and the form in which Go's client of the engine sends them, whatever it is given.
func capabilities(v []any) any {
	var all []string
	for _, name := range v {
		all = append(all, strings.TrimPrefix(fmt.Sprint(name), "CAP_"))
	}
	slices.Sort(all)
	return all
}

// TestImageOfRootIsRefused has an image without a user of its own: its supervisor ends at once, again and again, and the sandbox is in
// Error. A policy with user and group lets it run.
func TestImageOfRootIsRefused(t *testing.T) {
	h := newTrueHost(t)
	tag := "e2e-" + h.driver.Namespace + "/root:1"
	h.agent(agentImage{reference: tag, user: "sandbox", workdir: "/sandbox", version: "1", changes: []string{"USER 0"}})
	broken := h.create(gateway.Sandbox{Name: "broken", Image: tag}, gateway.Failed)
	if broken.Reason != "ContainerRestarting" && broken.Reason != "ContainerExited" {
		t.Errorf("%s: %s", broken.Reason, broken.Message)
	}
	if said := h.said(broken.ID); !strings.Contains(said, "OCI USER '0' selects UID 0") {
		t.Errorf("its supervisor says %q", said)
	}
	h.create(gateway.Sandbox{Name: "named", Image: tag, Policy: runAsPolicy("sandbox", "sandbox")}, gateway.Ready)
}

// runAsPolicy is a SandboxPolicy with version1 and process4{run_as_user1, run_as_group2}.
func runAsPolicy(user, group string) []byte {
	process := append(protoText(1, user), protoText(2, group)...)
	return append([]byte{8, 1}, protoText(4, string(process))...)
}

// TestGatewayRestarts holds what a gateway does to its sandboxes when it ends: a kill nothing, a graceful end stops those that run, and the
// next start brings those back and no other.
func TestGatewayRestarts(t *testing.T) {
	h := newTrueHost(t)
	tag := "e2e-" + h.driver.Namespace + "/agent:1"
	h.agent(agentImage{reference: tag, user: "sandbox", workdir: "/sandbox", version: "1"})
	up := h.create(gateway.Sandbox{Name: "up", Image: tag}, gateway.Ready)
	down := h.create(gateway.Sandbox{Name: "down", Image: tag}, gateway.Ready)
	gone := h.create(gateway.Sandbox{Name: "gone", Image: tag}, gateway.Ready)
	if _, err := h.driver.SetPhase(t.Context(), "down", gateway.Stopped); err != nil {
		t.Fatal(err)
	}
	states := func(want ...string) {
		t.Helper()
		for i, s := range []gateway.Sandbox{up, down} {
			if state := h.containers(s.ID)[0].State; state != want[i] {
				t.Errorf("%s is %s, want %s", s.Name, state, want[i])
			}
		}
	}
	h.must(h.driver.Close())
	states("running", "exited")
	h.must(h.driver.Open(t.Context()))
	h.must(h.driver.Shutdown(t.Context()))
	states("exited", "exited")
	h.must(h.engine.client.ContainerRemove(context.Background(), h.container(gone), container.RemoveOptions{Force: true}))
	h.must(h.driver.Open(t.Context()))
	h.reaches("up", gateway.Ready)
	states("running", "exited")
	h.reaches("down", gateway.Stopped)
	if lost := h.reaches("gone", gateway.Failed); lost.Reason != "BackendResourceMissing" {
		t.Errorf("the sandbox without a container: %s: %s", lost.Reason, lost.Message)
	}
	h.saw(up)
	h.must(h.engine.client.ContainerRemove(context.Background(), h.container(up), container.RemoveOptions{Force: true}))
	if _, gone := waitFor(waitLimit, func() bool { return h.now("up").ID == "" }); !gone {
		t.Error("a sandbox whose container was removed under the running gateway is still known")
	}
}

// TestBindMountsAreRefusedByDefault holds that nothing is made then.
func TestBindMountsAreRefusedByDefault(t *testing.T) {
	h := newTrueHost(t)
	spec := protoPart(6, protoText(1, "e2e/none:1"), protoPart(11, bindConfig(t, t.TempDir(), "/data")))
	_, err := h.driver.Create(t.Context(), gateway.Sandbox{Name: "bound", Spec: spec})
	if err == nil || !strings.Contains(err.Error(), "docker bind mounts require enable_bind_mounts = true in [openshell.drivers.docker]") {
		t.Errorf("%v", err)
	}
	if left := h.now("bound"); left.ID != "" {
		t.Errorf("it left %+v", left)
	}
}
