package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/engine"
	"sandkeeper/openshell"
)

// host is a host in a table: what its gateways list and its engine holds, at the first look and, when it differs, the second.
type host struct {
	rows       []Row
	elsewhere  []Row
	noRegistry bool
	gateway    string
	lists      map[string][]openshell.ListedSandbox
	later      map[string][]openshell.ListedSandbox // second answers
	engine     []engine.Container
	engineErr  error
	laterErr   error              // the engine's second answer
	laterHas   []engine.Container // the engine's second answer, when not nil
	offline    bool
	origins    map[string]string // container id → the gateway that made it
	only, in   string            // the gateway and the workspace that were asked for

	mu    sync.Mutex
	calls []string
}

func (h *host) called(what string) (times int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if c == what {
			times++
		}
	}
	h.calls = append(h.calls, what)
	return times
}

func (h *host) sources() Sources {
	return Sources{
		Registry: Registry{Present: !h.noRegistry, Rows: h.rows, Elsewhere: h.elsewhere}, Gateway: h.gateway, Offline: h.offline,
		Only: h.only, Workspace: h.in, Origin: func(_ context.Context, c engine.Container, _ *engine.Container) string { return h.origins[c.ID] },
		List: func(_ context.Context, name string) ([]openshell.ListedSandbox, error) {
			if again := h.called("list " + name); again > 0 && h.later != nil {
				return h.later[name], nil
			}
			listed, known := h.lists[name]
			if !known {
				return nil, &openshell.ListingError{Gateway: name, Op: "sandbox list", Unreachable: true}
			}
			return listed, nil
		},
		Containers: func(context.Context) ([]engine.Container, error) {
			if again := h.called("containers"); again > 0 && (h.laterErr != nil || h.laterHas != nil) {
				return h.laterHas, h.laterErr
			}
			return h.engine, h.engineErr
		},
	}
}

func row(name string) Row { return Row{Name: name, Gateway: "nemoclaw", GatewayPort: 8080} }

func on(gateway string, r Row) Row { r.Gateway = gateway; return r }

func driver(d string, r Row) Row { r.OpenshellDriver = d; return r }

func unbound(r Row) Row { r.Gateway, r.BindingErr = "", errors.New("its binding is invalid"); return r }

func listed(name, id, phase string) openshell.ListedSandbox {
	return openshell.ListedSandbox{Name: name, ID: id, Phase: phase}
}

func box(id, name, sandboxID, state string) engine.Container {
	return engine.Container{ID: id, Name: "openshell-" + name + "-" + id, SandboxName: name, SandboxID: sandboxID, State: state, Namespace: "default"}
}

func at(workspace string, c engine.Container) engine.Container { c.Workspace = workspace; return c }

func as(role string, c engine.Container) engine.Container { c.Role = role; return c }

func in(namespace string, c engine.Container) engine.Container { c.Namespace = namespace; return c }

type list1 = map[string][]openshell.ListedSandbox

// brief is a sandbox on one line: gateway/name id standing route container.
func brief(s Sandbox) string {
	container := "-"
	if s.Container != nil {
		container = s.Container.ID
	}
	if s.Companion != nil {
		container += " beside " + s.Companion.ID
	}
	at := s.Gateway + "/" + s.Address()
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", at, s.Standing, s.Route, container))
}

func TestTake(t *testing.T) {
	down := errors.New("daemon did not answer")
	for name, c := range map[string]struct {
		*host
		want   []string
		reason string // in the first sandbox
	}{
		"running container": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "", "Ready")}},
			engine: []engine.Container{box("c1", "a", "i1", "running")},
		}, []string{"nemoclaw/a ready container c1"}, ""},
		"listed not Ready, container runs": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i1", "Error")}},
			engine: []engine.Container{box("c1", "a", "i1", "running")},
		}, []string{"nemoclaw/a ready container c1"}, `phase "Error"`},
		"not listed, container runs": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": nil},
			engine: []engine.Container{box("c1", "a", "i1", "running")},
		}, []string{"nemoclaw/a ready container c1"}, "does not list it"},
		"stopped": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i1", "Stopped")}},
			engine: []engine.Container{box("c1", "a", "i1", "exited")},
		}, []string{"nemoclaw/a stopped container c1"}, ""},
		"created": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": nil},
			engine: []engine.Container{box("c1", "a", "i1", "created")},
		}, []string{"nemoclaw/a stopped container c1"}, "does not list it"},
		"paused": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i1", "Ready")}},
			engine: []engine.Container{box("c1", "a", "i1", "paused")},
		}, []string{"nemoclaw/a ready container c1"}, "is paused"},
		"Ready without container": {
			&host{rows: []Row{driver("kubernetes", row("a"))}, lists: list1{"nemoclaw": {listed("a", "i1", "Ready")}}},
			[]string{"nemoclaw/a ready exec -"},
			"",
		},
		"another phase without container": {
			&host{rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i1", "Provisioning"), listed("b", "", "Ready")}}},
			[]string{"nemoclaw/a not_ready  -", "nemoclaw/b ready exec -"},
			`phase "Provisioning"`,
		},
		"orphan": {&host{rows: []Row{row("a")}, lists: list1{"nemoclaw": nil}}, []string{"nemoclaw/a orphaned  -"}, "looked at twice"},
		"orphan listed by another gateway": {
			&host{
				rows:  []Row{row("a"), on("nemoclaw-9", row("z"))},
				lists: list1{"nemoclaw": nil, "nemoclaw-9": {listed("a", "", "Ready"), listed("z", "", "Ready")}},
			},
			[]string{"nemoclaw/a orphaned  -", "nemoclaw-9/a ready exec -", "nemoclaw-9/z ready exec -"},
			"looked at twice",
		},
		"reappears in the second list": {
			&host{rows: []Row{row("a")}, lists: list1{"nemoclaw": nil}, later: list1{"nemoclaw": {listed("a", "", "Ready")}}},
			[]string{"nemoclaw/a ready exec -"},
			"seen again",
		},
		"its container reappears": {
			&host{rows: []Row{row("a")}, lists: list1{"nemoclaw": nil}, laterHas: []engine.Container{box("c1", "a", "", "exited")}},
			[]string{"nemoclaw/a stopped container c1"},
			"seen again",
		},
		"the engine fails at the second look": {
			&host{rows: []Row{row("a")}, lists: list1{"nemoclaw": nil}, laterErr: down},
			[]string{"nemoclaw/a unknown  -"},
			"did not answer",
		},
		"engine down": {
			&host{
				rows: []Row{row("a"), row("b"), row("c")}, engineErr: down,
				lists: list1{"nemoclaw": {listed("b", "", "Ready"), listed("c", "", "Error")}},
			},
			[]string{"nemoclaw/a unknown  -", "nemoclaw/b ready exec -", "nemoclaw/c unknown  -"},
			"did not answer",
		},
		"no engine": {
			&host{
				rows: []Row{row("a"), row("b"), row("c"), driver("vm", row("d"))}, engineErr: fmt.Errorf("no socket: %w", ErrNoEngine),
				lists: list1{"nemoclaw": {listed("b", "", "Ready"), listed("c", "", "Error")}},
			},
			[]string{"nemoclaw/a unknown  -", "nemoclaw/b ready exec -", "nemoclaw/c not_ready  -", "nemoclaw/d orphaned  -"},
			"no container engine",
		},
		"invalid binding": {
			&host{rows: []Row{unbound(row("a"))}, gateway: "nemoclaw", lists: list1{"nemoclaw": nil}},
			[]string{"/a unknown  -"},
			"binding is invalid",
		},
		"invalid binding, its container is here": {&host{
			rows: []Row{unbound(row("a"))}, gateway: "nemoclaw", lists: list1{"nemoclaw": nil},
			engine: []engine.Container{box("c1", "a", "i1", "running")},
		}, []string{"/a ready container c1"}, "binding is invalid"},
		"invalid binding takes nothing from a listed one": {
			&host{
				rows: []Row{unbound(row("a"))}, gateway: "nemoclaw",
				lists: list1{"nemoclaw": {listed("a", "", "Ready")}}, engine: []engine.Container{box("c1", "a", "i1", "running")},
			},
			[]string{"/a unknown  -", "nemoclaw/a ready container c1"},
			"binding is invalid",
		},
		"two containers, no id": {
			&host{
				rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "", "Ready")}},
				engine: []engine.Container{box("c1", "a", "i1", "running"), box("c2", "a", "i2", "exited")},
			},
			[]string{"nemoclaw/a ambiguous  -"},
			`"openshell-a-c1" and "openshell-a-c2"`,
		},
		"two containers, the id decides": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i2", "Ready")}},
			engine: []engine.Container{box("c1", "a", "i1", "running"), box("c2", "a", "i2", "running")},
		}, []string{"nemoclaw/a ready container c2"}, ""},
		"two containers with one id": {
			&host{
				rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i1", "Ready")}},
				engine: []engine.Container{box("c1", "a", "i1", "running"), box("nemoclaw-gpu-backup-1", "a", "i1", "exited")},
			},
			[]string{"nemoclaw/a ambiguous  -"},
			"nemoclaw-gpu-backup-1",
		},
		"a pair is one sandbox": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i1", "Ready")}},
			engine: []engine.Container{as("supervisor", box("c0", "a", "i1", "running")), as("sandbox", box("c1", "a", "i1", "running")), as("identity", box("c2", "a", "i1", "exited"))},
		}, []string{"nemoclaw/a ready container c1 beside c0"}, ""},
		"a companion alone is no sandbox": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": nil},
			engine: []engine.Container{as("supervisor", box("c0", "a", "i1", "running")), as("staging", box("c2", "b", "i1", "exited"))},
		}, []string{"nemoclaw/a orphaned  -"}, "looked at twice"},
		"a companion of another namespace": {&host{
			rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "i1", "Ready")}},
			engine: []engine.Container{in("n2", as("supervisor", box("c0", "a", "i1", "running"))), as("sandbox", box("c1", "a", "i1", "running"))},
		}, []string{"nemoclaw/a ready container c1"}, ""},
		"unregistered": {
			&host{
				gateway: "nemoclaw", rows: []Row{row("a")}, lists: list1{"nemoclaw": {listed("a", "", "Ready"), listed("b", "i2", "Ready")}},
				engine: []engine.Container{box("c2", "b", "i2", "running"), box("c3", "c", "i3", "exited")},
			},
			[]string{"nemoclaw/a ready exec -", "nemoclaw/b ready container c2", "/c stopped container c3"},
			"",
		},
		"no registry": {&host{
			noRegistry: true, gateway: "openshell", lists: list1{"openshell": {listed("x", "", "Ready")}},
			engine: []engine.Container{box("c1", "y", "", "running")},
		}, []string{"openshell/x ready exec -", "/y ready container c1"}, ""},
		"one name on two gateways, ids decide": {
			&host{
				rows:   []Row{row("a"), on("nemoclaw-9", row("a"))},
				lists:  list1{"nemoclaw": {listed("a", "i1", "Ready")}, "nemoclaw-9": {listed("a", "i2", "Ready")}},
				engine: []engine.Container{box("c2", "a", "i2", "running"), box("c1", "a", "i1", "running")},
			},
			[]string{"nemoclaw/a ready container c1", "nemoclaw-9/a ready container c2"},
			"",
		},
		"one name on two gateways, namespaces decide": {
			&host{
				rows:  []Row{row("a"), row("k"), on("nemoclaw-9", row("a")), on("nemoclaw-9", row("l"))},
				lists: list1{"nemoclaw": {listed("k", "i3", "Ready")}, "nemoclaw-9": {listed("l", "i4", "Ready")}},
				engine: []engine.Container{
					in("n2", box("c2", "a", "i2", "running")), in("n1", box("c1", "a", "i1", "exited")),
					in("n1", box("c3", "k", "i3", "running")), in("n2", box("c4", "l", "i4", "running")),
				},
			},
			[]string{"nemoclaw/a stopped container c1", "nemoclaw-9/a ready container c2", "nemoclaw/k ready container c3", "nemoclaw-9/l ready container c4"},
			"does not list it",
		},
		"one name on two gateways, nothing decides": {
			&host{
				rows:  []Row{row("a"), on("nemoclaw-9", row("a"))},
				lists: list1{"nemoclaw": {listed("a", "", "Ready")}, "nemoclaw-9": nil}, engine: []engine.Container{box("c1", "a", "i1", "running")},
			},
			[]string{"nemoclaw/a ambiguous  -", "nemoclaw-9/a ambiguous  -"},
			`may as well be "a" on gateway "nemoclaw-9"`,
		},
		"a row left out keeps its container": {
			&host{
				rows: []Row{row("a")}, elsewhere: []Row{on("nemoclaw-9", row("b"))},
				lists: list1{"nemoclaw": {listed("a", "", "Ready")}}, engine: []engine.Container{box("c1", "b", "i1", "running")},
			},
			[]string{"nemoclaw/a ready exec -"},
			"",
		},
		"bad names": {
			&host{
				rows: []Row{row("../x"), row("-rf")}, gateway: "nemoclaw", lists: list1{"nemoclaw": {listed("ok", "", "Ready"), listed("a/b", "", "Ready")}},
				engine: []engine.Container{box("c1", "", "", "running")},
			},
			[]string{"/ bad_name  c1", "nemoclaw/-rf bad_name  -", "nemoclaw/../x bad_name  -", "nemoclaw/a/b bad_name  -", "nemoclaw/ok ready exec -"},
			"the name is empty",
		},
		"offline": {
			&host{
				rows: []Row{row("a"), row("b")}, gateway: "nemoclaw", offline: true,
				engine: []engine.Container{box("c1", "a", "i1", "running"), box("c2", "z", "", "exited")},
			},
			[]string{"nemoclaw/a ready container c1", "nemoclaw/b unknown  -", "/z stopped container c2"},
			"",
		},
		"workspaces are different sandboxes": {
			&host{
				noRegistry: true, gateway: "g", lists: list1{"g": {
					{Name: "a", Workspace: "team", ID: "i1", Phase: "Ready"}, {Name: "a", Workspace: "default", ID: "i2", Phase: "Ready"},
				}},
				engine: []engine.Container{box("c1", "a", "i1", "running"), box("c2", "a", "i2", "running")},
			},
			[]string{"g/a ready container c2", "g/team/a ready container c1"},
			"",
		},
		"workspaces are different sandboxes, offline": {
			&host{
				noRegistry: true, offline: true, engine: []engine.Container{at("team", box("c1", "a", "i1", "running")), box("c2", "a", "i2", "running")},
				origins: map[string]string{"c1": "g", "c2": "g"},
			},
			[]string{"g/a ready container c2", "g/team/a ready container c1"},
			"",
		},
		"a row is of the default workspace": {
			&host{rows: []Row{row("a")}, lists: list1{"nemoclaw": {
				{Name: "a", Workspace: "team", ID: "i1", Phase: "Ready"}, {Name: "a", Workspace: "default", ID: "i2", Phase: "Stopped"},
			}}, engine: []engine.Container{at("team", box("c1", "a", "i1", "running")), at("default", box("c2", "a", "i2", "exited"))}},
			[]string{"nemoclaw/a stopped container c2", "nemoclaw/team/a ready container c1"},
			"",
		},
		"a row of the default workspace takes no other's container": {
			&host{rows: []Row{row("a")}, lists: list1{"nemoclaw": nil}, engine: []engine.Container{at("team", box("c1", "a", "i1", "running"))}},
			[]string{"/team/a ready container c1", "nemoclaw/a orphaned  -"},
			"",
		},
		"one workspace": {
			&host{in: "team", rows: []Row{row("a")}, lists: list1{"nemoclaw": {
				{Name: "a", Workspace: "team", ID: "i1", Phase: "Ready"}, {Name: "a", ID: "i2", Phase: "Ready"},
			}}},
			[]string{"nemoclaw/team/a ready exec -"},
			"",
		},
		"one name of two gateways, offline": {
			&host{
				offline: true, noRegistry: true, engine: []engine.Container{box("c1", "a", "i1", "running"), box("c2", "a", "i2", "exited")},
				origins: map[string]string{"c1": "g", "c2": "h"},
			},
			[]string{"g/a ready container c1", "h/a stopped container c2"},
			"",
		},
		"one name of one gateway, offline": {
			&host{
				offline: true, noRegistry: true, engine: []engine.Container{box("c1", "a", "i1", "running"), box("c2", "a", "i2", "exited")},
				origins: map[string]string{"c1": "g"},
			},
			[]string{"g/a ambiguous  -"},
			`"openshell-a-c1" and "openshell-a-c2"`,
		},
		"two rows of one name, offline": {
			&host{
				offline: true, rows: []Row{row("a"), on("nemoclaw-9", row("a"))},
				engine:  []engine.Container{box("c1", "a", "i1", "running"), box("c2", "a", "i2", "exited")},
				origins: map[string]string{"c1": "nemoclaw-9", "c2": "nemoclaw"},
			},
			[]string{"nemoclaw/a stopped container c2", "nemoclaw-9/a ready container c1"},
			"",
		},
		"only one gateway": {
			&host{
				only: "g", gateway: "g", noRegistry: true, lists: list1{"g": {listed("a", "i1", "Ready")}},
				engine: []engine.Container{
					box("c1", "a", "i1", "running"), box("c2", "b", "i2", "running"), box("c3", "c", "i3", "running"), box("c4", "d", "i4", "exited"),
				},
				origins: map[string]string{"c2": "h", "c4": "g"},
			},
			[]string{"g/a ready container c1", "g/d stopped container c4"},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inv, err := Take(t.Context(), c.sources())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range inv.Sandboxes {
				got = append(got, brief(s))
				if s.Route == NoRoute && s.Reason == "" {
					t.Errorf("%s: no route and no reason", s.Name)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if reason := inv.Sandboxes[0].Reason; !strings.Contains(reason, c.reason) || (c.reason == "" && reason != "") {
				t.Errorf("reason %q, want %q", reason, c.reason)
			}
			if c.offline && len(c.calls) != 1 {
				t.Errorf("offline called %v", c.calls)
			}
		})
	}
}
