package e2e

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"sandkeeper/test/e2e/gateway"
	standin "sandkeeper/test/standin/openshell"
)

// recipeHost is a host whose gateway, of any version, made its one sandbox, a real container, from a recipe with everything in it.
type recipeHost struct {
	*upgradeHost
	records *gateway.Records
	made    gateway.Sandbox
	mounted string // what the recipe mounts at /data

	mu    sync.Mutex
	heard []gateway.Exchange
}

// withRealCLI reports whether a real openshell of that version can be had; else a stand-in speaks for it.
func withRealCLI(version string) bool { return slices.Contains(realVersions(), version) }

func newRecipeHost(t *testing.T, version string, secured ...func(*gateway.Server)) *recipeHost {
	t.Helper()
	e := newEngine(t)
	h := &recipeHost{mounted: t.TempDir(), records: gateway.NewRecords(
		gateway.Provider{ID: gateway.NewID(), Name: "github", Type: "github", Credentials: []string{"GITHUB_TOKEN"}},
		gateway.Provider{ID: gateway.NewID(), Name: "nvidia-prod", Type: "nvidia", Config: map[string]string{"region": "us-west"}},
	)}
	h.upgradeHost = &upgradeHost{version: version, engine: e, name: "re" + gateway.NewID()[:8], image: fmt.Sprintf("e2e%d/sandbox-from:1", freePort(t))}
	h.realHost.t = t
	h.drive()
	t.Cleanup(func() { h.sweep() })
	h.oldID = h.build("one")
	wanted := gateway.Sandbox{Name: h.name, Spec: h.everything(), Labels: map[string]string{"team": "red", "tier": "gold"}, Later: protoText(990, "of the future")}
	if gateway.Since(version, 84) {
		wanted.Annotations = map[string]string{"owner": "red team", "ticket": "OPS-1"}
	}
	if gateway.Since(version, 88) {
		wanted.Workspace = "team-a"
		h.must(h.driver.AddWorkspace(t.Context(), wanted.Workspace))
	}
	var err error
	if h.made, err = h.driver.Create(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	if _, ready := waitFor(waitLimit, func() bool { return h.listed().Phase == gateway.Ready }); !ready {
		t.Fatalf("it is %+v", h.listed())
	}
	h.newID = h.build("two")
	h.backend = &unruly{Backend: h.driver}
	server := &gateway.Server{Version: version, Backend: h.backend, Records: h.records, Heard: h.hear}
	for _, secure := range secured {
		secure(server)
	}
	if withRealCLI(version) {
		h.realHost = newRealHost(t, realCLI(t, version), server)
	} else {
		h.realHost = newStandInHost(t, server, standin.Sandbox{Name: h.name, ID: h.made.ID, Workspace: wanted.Workspace})
	}
	if wanted.Workspace != "" {
		h.env = append(h.env, "OPENSHELL_WORKSPACE="+wanted.Workspace)
	}
	return h
}

// newStandInHost is a host whose openshell is a stand-in of the gateway's version, and says what the gateway says.
func newStandInHost(t *testing.T, g *gateway.Server, listed ...standin.Sandbox) realHost {
	t.Helper()
	h := newHost(t, g.Version)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", h.Port))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
	h.Script.Gateways[0].Live = true
	h.Script.Sandboxes = listed
	env, err := h.Environment()
	if err != nil {
		t.Fatal(err)
	}
	return realHost{t: t, home: h.Home, openshell: filepath.Join(h.Home, ".local/bin/openshell"), env: append(env, engineEnv()...)}
}

// upgrade goes without a rehearsal: what a gateway is asked for is counted.
func (h *recipeHost) upgrade(args ...string) upgradeDocument {
	h.t.Helper()
	return h.upgradeHost.upgrade(append(args, "--no-rehearsal")...)
}

func (h *recipeHost) hear(x gateway.Exchange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, x)
}

// exchanges are those of one RPC so far.
func (h *recipeHost) exchanges(method string) []gateway.Exchange {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.heard), func(x gateway.Exchange) bool { return x.Method != method })
}

func protoText(number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), text)
}

func protoPart(number protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), slices.Concat(parts...))
}

func protoNumber(number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), value)
}

func protoPair(number protowire.Number, name, value string) []byte {
	return protoPart(number, protoText(1, name), protoText(2, value))
}

// everything is a SandboxSpec in which everything is said that the version has words for (docs/facts/openshell.md
// 3.2), in an odd order, with fields of the future in it, in its template and in its policy.
func (h *recipeHost) everything() []byte {
	template := [][]byte{
		protoText(977, "of the future"), protoText(1, h.image), protoPair(4, "rack", "7"), protoPair(4, "row", "3"),
		protoPair(5, "note", "kept"), protoPair(6, "TEMPLATE_ONLY", "1"),
	}
	if gateway.Since(h.version, 58) {
		template = append(template, protoPart(11, h.driverConfig()))
	}
	gpu := protoNumber(9, 1)
	if gateway.Since(h.version, 69) {
		gpu = protoPart(9, protoPart(1, protoNumber(1, 2)))
	}
	spec := slices.Concat(
		protoText(999, "of the future"), protoText(8, "nvidia-prod"), protoPair(5, "MODE", "careful"), protoPair(5, "EMPTY", ""),
		protoPart(6, template...), protoText(1, "debug"), gpu, protoPart(7, protoNumber(1, 1), protoText(900, "policy one")), protoText(8, "github"),
	)
	if gateway.Since(h.version, 111) {
		spec = slices.Concat(spec, protoText(12, "sleep"), protoText(12, "infinity"), protoNumber(13, 1))
	}
	return protowire.AppendFixed32(protowire.AppendTag(spec, 998, protowire.Fixed32Type), 42)
}

func (h *recipeHost) driverConfig() []byte { return bindConfig(h.t, h.mounted, "/data") }

// bindConfig is a driver_config with one bind mount.
func bindConfig(t *testing.T, source, target string) []byte {
	t.Helper()
	config, err := structpb.NewStruct(map[string]any{"docker": map[string]any{
		"mounts": []any{map[string]any{"type": "bind", "source": source, "target": target, "read_only": false, "of_the_future": "x"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// fieldsOf are the encodings of a field in a message, in their order.
func fieldsOf(t *testing.T, message []byte, number protowire.Number) (all []string) {
	t.Helper()
	for len(message) > 0 {
		n, _, size := protowire.ConsumeField(message)
		if size < 0 {
			t.Fatalf("not a message: %q", message)
		}
		if n == number {
			_, _, tag := protowire.ConsumeTag(message)
			content, _ := protowire.ConsumeBytes(message[tag:])
			all = append(all, string(content))
		}
		message = message[size:]
	}
	return all
}

func contentOf(t *testing.T, message []byte, number protowire.Number) []byte {
	t.Helper()
	return []byte(strings.Join(fieldsOf(t, message, number), ""))
}

// without is the message without a field, all others byte for byte.
func without(t *testing.T, message []byte, number protowire.Number) (rest []byte) {
	t.Helper()
	for len(message) > 0 {
		n, _, size := protowire.ConsumeField(message)
		if size < 0 {
			t.Fatalf("not a message: %q", message)
		}
		if n != number {
			rest = append(rest, message[:size]...)
		}
		message = message[size:]
	}
	return rest
}
