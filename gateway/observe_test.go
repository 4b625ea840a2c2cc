package gateway

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

// table is a process table that a test writes.
type table struct {
	processes []Process
	ports     map[int][]int
	realms    map[int]Realm
	holds     map[int]Holdings
	broken    error
	panics    bool
}

func (p table) PIDs(context.Context) ([]int, error) {
	if p.panics {
		panic("torn table")
	}
	var pids []int
	for _, each := range p.processes {
		pids = append(pids, each.PID)
	}
	return pids, p.broken
}

func (p table) Args(ctx context.Context, pid int) ([]string, error) {
	seen, err := p.Look(ctx, pid)
	return seen.Args, err
}

func (p table) Look(_ context.Context, pid int) (Process, error) {
	for _, each := range p.processes {
		if each.PID == pid {
			return each, nil
		}
	}
	return Process{}, fmt.Errorf("process %d: %w", pid, os.ErrNotExist)
}

func (p table) Ports(_ context.Context, pid int) ([]int, error) {
	if ports, ok := p.ports[pid]; ok {
		return ports, nil
	}
	return nil, os.ErrPermission
}

// Listeners are the processes with that port; one whose ports are not written down may hold any, and nobody sees it.
func (p table) Listeners(_ context.Context, port int) ([]Listener, error) {
	var found []Listener
	for _, each := range p.processes {
		ports, seen := p.ports[each.PID]
		switch {
		case !seen && each.UID != 1000:
			found = append(found, Listener{UID: each.UID, Port: port})
		case slices.Contains(ports, port):
			found = append(found, Listener{PID: each.PID, UID: each.UID, Port: port})
		}
	}
	return found, p.broken
}

func (p table) Realm(_ context.Context, pid int) Realm {
	if realm, ok := p.realms[pid]; ok {
		return realm
	}
	return Realm{Kind: Ours}
}

func (p table) Holds(_ context.Context, pid int) Holdings { return p.holds[pid] }

func (table) Image(context.Context, int) (*os.File, string, error) { return nil, "", ErrNoImage }

// stage is a host for Observe: a home with an openshell command line, and a container engine.
type stage struct {
	Options
	home   string
	daemon *dockertest.Daemon
}

func newStage(t *testing.T, cli string) stage {
	t.Helper()
	home := t.TempDir()
	daemon := dockertest.Start(t)
	script(t, filepath.Join(home, "bin/openshell"), cli)
	entries := []string{
		"HOME=" + home, "PATH=/usr/bin:/bin", "NEMOCLAW_OPENSHELL_BIN=" + filepath.Join(home, "bin/openshell"), "SANDKEEPER_ENGINES=" + daemon.Host(),
		"OPENSHELL_SYSTEM_GATEWAY_DIR=" + home + "/none", "OPENSHELL_GATEWAY=nemoclaw",
	}
	return stage{Options{
		Env: env.Parse(entries), UID: os.Geteuid(), Processes: table{}, Root: filepath.Join(home, "root"), ProbeTimeout: 20 * time.Second,
	}, home, daemon}
}

// answering is a CLI of version 0.0.37 whose gateway says what it is given.
func answering(gateway, status, version string) string {
	return `case "$*" in *--version*) echo openshell 0.0.37; exit;; *json*) echo "error: unexpected argument '-o' found" >&2; exit 2;; esac
case "$*" in *status*) printf 'Server Status\n\n  Gateway: ` + gateway + `\n  Server: http://127.0.0.1:8080\n  Status: ` + status + `\n  Version: ` + version + `\n';; esac`
}

func TestObserveSeesWhatIsThere(t *testing.T) {
	s := newStage(t, answering("nemoclaw", "Connected", "0.0.36"))
	script(t, filepath.Join(s.home, "bin", gatewayProgram), "echo openshell-gateway 0.0.37")
	s.daemon.Add(dockertest.Container{Name: "openshell-alpha", Labels: map[string]string{engine.LabelManagedBy: "openshell"}})
	s.daemon.Add(dockertest.Container{
		Name: "openshell-cluster-nemoclaw", Image: "ghcr.io/nvidia/openshell/cluster:0.0.36", Ports: map[string][]string{"8080/tcp": {"8080"}},
	})
	got := Observe(t.Context(), s.Options)
	if got.CLI.Version.String() != "0.0.37" || got.Served.Version.String() != "0.0.36" || !got.Served.Answered || got.File.Version.String() != "0.0.37" {
		t.Errorf("CLI %+v, served %+v, file %+v; want 0.0.37, 0.0.36, 0.0.37", got.CLI, got.Served, got.File)
	}
	if !got.Cluster.Active || got.Cluster.Version.String() != "0.0.36" || len(got.Containers) != 1 || got.Process.State != drift.Absent {
		t.Errorf("cluster %+v, containers %v, process %+v", got.Cluster, got.Containers, got.Process)
	}
	var codes []string
	for _, p := range got.Probes {
		codes = append(codes, p.Code)
		if p.Detail == "" || p.State == "" {
			t.Errorf("probe %+v says nothing", p)
		}
	}
	want := []string{ProbeCLI, ProbeEngine, ProbeCluster, ProbeMarker, ProbeProcess, ProbeFile, ProbePort, ProbeServed}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("probes (-want +got):\n%s", diff)
	}
}

func TestClusterIsActiveOnlyWhenItServesThisGateway(t *testing.T) {
	tests := []struct {
		name, cli, state, port, image string
		registered                    string // endpoint, "" for none
		active                        bool
		version                       string
	}{
		{"serves", answering("nemoclaw", "Connected", "x"), "running", "8080", "openshell/cluster:0.0.36", "", true, "0.0.36"},
		{"patched image", answering("nemoclaw", "Connected", "x"), "running", "8080", "nemoclaw-cluster:0.0.36-fuse-overlayfs-aa8b8487", "", true, "0.0.36"},
		{"stopped leftover", answering("nemoclaw", "Connected", "x"), "exited", "8080", "openshell/cluster:0.0.36", "", false, "0.0.36"},
		{"other port", answering("nemoclaw", "Connected", "x"), "running", "8081", "openshell/cluster:0.0.36", "", false, "0.0.36"},
		{"registration outranks status", answering("nemoclaw", "Connected", "x"), "running", "8081", "openshell/cluster:0.0.36", "http://127.0.0.1:8081", true, "0.0.36"},
		{"another gateway answers", answering("nemoclaw-8091", "Connected", "x"), "running", "8080", "openshell/cluster:0.0.36", "", false, "0.0.36"},
		{"answers over HTTP alone", answering("nemoclaw", "Connected (HTTP)", "x"), "running", "8080", "openshell/cluster:0.0.36", "", true, "0.0.36"},
		{"in error", answering("nemoclaw", "Error", "x"), "running", "8080", "openshell/cluster:0.0.36", "", false, "0.0.36"},
		{"disconnected", answering("nemoclaw", "Disconnected", "x"), "running", "8080", "openshell/cluster:0.0.36", "", false, "0.0.36"},
		{"image without a version", answering("nemoclaw", "Connected", "x"), "running", "8080", "openshell/cluster:dev", "", true, ""},
		{
			"silent status, info names it", `case "$*" in *info*) printf 'Gateway Info\n\n  Gateway: nemoclaw\n  Gateway endpoint: http://127.0.0.1:8080\n';; esac`,
			"running", "8080", "openshell/cluster:0.0.36", "", true, "0.0.36",
		},
		{
			"silent status, info names another", `case "$*" in *info*) printf 'Gateway Info\n\n  Gateway: nemoclaw-8091\n  Gateway endpoint: http://127.0.0.1:8080\n';; esac`,
			"running", "8080", "openshell/cluster:0.0.36", "", false, "0.0.36",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, test.cli)
			if test.registered != "" {
				registered(t, s.home, "nemoclaw", test.registered, false)
			}
			s.daemon.Add(dockertest.Container{
				Name: "openshell-cluster-nemoclaw", Image: test.image, State: test.state, Ports: map[string][]string{"8080/tcp": {test.port}},
			})
			got := Observe(t.Context(), s.Options).Cluster
			if got.Active != test.active || got.Version.String() != test.version || got.Image != test.image {
				t.Errorf("cluster %+v, want active %v and version %q", got, test.active, test.version)
			}
		})
	}
}

func TestObserveEndsWithinItsLimit(t *testing.T) {
	s := newStage(t, "sleep 60")
	s.daemon.Break(dockertest.Fault{Hang: true})
	script(t, filepath.Join(s.home, "bin", gatewayProgram), "sleep 60")
	s.ProbeTimeout = 500 * time.Millisecond
	start := time.Now()
	got := Observe(t.Context(), s.Options)
	if took := time.Since(start); took > 30*time.Second { // of 60 that it would take
		t.Errorf("Observe took %s with a limit of 500ms", took)
	}
	for name, state := range map[string]drift.State{
		"CLI": got.CLI.State, "engine": got.Engine.State, "cluster": got.Cluster.State, "file": got.File.State, "served": got.Served.State,
	} {
		if state != drift.Unknown {
			t.Errorf("%s is %s, want unknown", name, state)
		}
	}
	if got.Containers != nil {
		t.Errorf("containers %v of an engine that hangs, want nil", got.Containers)
	}
}

func TestAPanicCostsItsOwnFactOnly(t *testing.T) {
	s := newStage(t, answering("nemoclaw", "Connected", "0.0.37"))
	s.Processes = table{panics: true}
	got := Observe(t.Context(), s.Options)
	if got.Process.State != drift.Unknown || !strings.Contains(got.Process.Why, "torn table") {
		t.Errorf("process %+v, want unknown with the panic", got.Process)
	}
	if got.Served.Version.String() != "0.0.37" || got.CLI.Version.String() != "0.0.37" || got.Engine.State != drift.Known {
		t.Errorf("served %+v, CLI %+v, engine %+v suffer from a panic elsewhere", got.Served, got.CLI, got.Engine)
	}
}

func TestObserveFromAFar(t *testing.T) {
	s := newStage(t, answering("nemoclaw", "Connected", "0.0.37"))
	registered(t, s.home, "nemoclaw", "https://gateway.example.com:8080", false)
	s.Processes = table{processes: []Process{{PID: 7, UID: s.UID, Args: []string{"openshell-gateway"}}}, ports: map[int][]int{7: {8080}}}
	got := Observe(t.Context(), s.Options)
	for name, state := range map[string]drift.State{"process": got.Process.State, "file": got.File.State, "cluster": got.Cluster.State} {
		if state != drift.Absent {
			t.Errorf("%s of a gateway on another host is %s, want absent", name, state)
		}
	}
	if got.Served.Version.String() != "0.0.37" {
		t.Errorf("served %+v, want 0.0.37", got.Served)
	}
}

func TestObserveRefusesABadName(t *testing.T) {
	s := newStage(t, "touch $0.ran")
	s.Gateway = "../x"
	got := Observe(t.Context(), s.Options)
	if got.Target.Err == nil || got.CLI.State != drift.Unknown || len(got.Probes) != 8 {
		t.Errorf("observation %+v, want nothing seen and the reason", got)
	}
	if calls := s.daemon.Calls(); len(calls) != 0 || exists(filepath.Join(s.home, "bin/openshell.ran")) {
		t.Errorf("the engine or the CLI was asked for a name that cannot be one: %v", calls)
	}
}

func TestScan(t *testing.T) {
	plainOne := func(pid, uid int) Process {
		return Process{PID: pid, UID: uid, Args: []string{"/usr/bin/openshell-gateway"}}
	}
	taggedOne := func(pid int) Process {
		return Process{PID: pid, UID: 1000, Args: []string{"openshell-gateway[nemoclaw=nemoclaw;port=8080]"}}
	}
	foreign := func(pid int) map[int]Realm { return map[int]Realm{pid: {Kind: Foreign, Why: "a container's"}} }
	tests := []struct {
		name  string
		table table
		pid   int
		state drift.State
	}{
		{"none", table{}, 0, drift.Absent},
		{"one that listens", table{processes: []Process{plainOne(7, 1000)}, ports: map[int][]int{7: {8080}}}, 7, drift.Unknown},
		{"one that listens elsewhere", table{processes: []Process{plainOne(7, 1000)}, ports: map[int][]int{7: {9}}}, 0, drift.Absent},
		{"one that does not listen", table{processes: []Process{plainOne(7, 1000)}, ports: map[int][]int{7: {}}}, 0, drift.Absent},
		{"our own before another user's", table{processes: []Process{plainOne(6, 1), plainOne(7, 1000)}, ports: map[int][]int{6: {8080}, 7: {8080}}}, 7, drift.Unknown},
		{"another user's", table{processes: []Process{plainOne(6, 1)}, ports: map[int][]int{6: {8080}}}, 6, drift.Unknown},
		{"another user's that cannot be looked into", table{processes: []Process{plainOne(6, 1)}}, 0, drift.Unknown},
		{"a zombie", table{processes: []Process{{PID: 7, UID: 1000, Args: []string{"openshell-gateway"}, Zombie: true}}}, 0, drift.Absent},
		{"tagged as ours", table{processes: []Process{taggedOne(7)}, ports: map[int][]int{7: {8080}}}, 7, drift.Unknown},
		{"called like ours", table{processes: []Process{taggedOne(7)}}, 0, drift.Absent},
		{"another program", table{processes: []Process{{PID: 7, UID: 1000, Args: []string{"vim", "openshell-gateway"}}}}, 0, drift.Absent},
		{"another program holds the port", table{processes: []Process{{PID: 7, UID: 1000, Args: []string{"nginx: master"}}}, ports: map[int][]int{7: {8080}}}, 0, drift.Unknown},
		{"a container's", table{processes: []Process{plainOne(7, 1000)}, ports: map[int][]int{7: {8080}}, realms: foreign(7)}, 0, drift.Unknown},
		{"a container's, called like ours", table{processes: []Process{taggedOne(7)}, realms: foreign(7)}, 0, drift.Absent},
		{"a forward", table{processes: []Process{{PID: 7, UID: 1000, Args: []string{"ssh", "-L", "8080:x:8080"}}}, ports: map[int][]int{7: {8080}}}, 0, drift.Absent},
		{"no table", table{broken: os.ErrPermission}, 0, drift.Unknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Options{UID: 1000, Processes: test.table, Env: env.Parse([]string{"HOME=" + t.TempDir(), "NEMOCLAW_GATEWAY_PORT=8080"})}.filled()
			l := newLook(t.Context(), o, ChooseTarget(t.Context(), o))
			var seen Observation
			l.lookProcess(t.Context()).put(&seen)
			if seen.Process.State != test.state || seen.Process.PID != test.pid {
				t.Errorf("process %+v, want %s with PID %d", seen.Process, test.state, test.pid)
			}
		})
	}
}

func TestHostFacts(t *testing.T) {
	home := t.TempDir()
	root := filepath.Join(home, "root")
	o := Options{Env: env.Parse([]string{"HOME=" + home, "PATH=" + home + "/tools"}), UID: 1000, Root: root}
	target := Target{Name: "nemoclaw-8091", Port: 8091}
	if got := o.hostFacts(target); got != (Host{}) {
		t.Errorf("facts of an empty host: %+v", got)
	}
	for _, path := range []string{
		home + "/tools/nemoclaw", home + "/.nemoclaw/gateways/" + strconv.Itoa(8091) + "/sandboxes.json", root + "/etc/systemd/user/openshell-gateway.service",
		root + "/opt/homebrew/bin/brew", root + "/opt/homebrew/opt/openshell", root + "/snap/openshell/current",
	} {
		script(t, path, "")
	}
	want := Host{CallNemoClaw: "nemoclaw", NemoClaw: home + "/tools/nemoclaw", Managed: true, Brew: root + "/opt/homebrew/bin/brew", Snap: true}
	if got := o.hostFacts(target); got != want {
		t.Errorf("facts %+v, want %+v", got, want)
	}
	if got := o.hostFacts(Target{Name: "nemoclaw"}); got.Managed {
		t.Error("another port's registry makes this gateway managed")
	}
}

// A command that is advised must be found by the shell that it is pasted into, and be the one that was looked at.
func TestProgramsAreCalledAsTheyAreFound(t *testing.T) {
	home := t.TempDir()
	first, second, aside := home+"/first", home+"/second", home+"/aside"
	for _, dir := range []string{second, aside} {
		script(t, dir+"/openshell", "")
	}
	script(t, first+"/other", "")
	o := Options{Env: env.Parse([]string{"PATH=" + first + ":relative:" + second})}
	for path, want := range map[string]string{second + "/openshell": "openshell", aside + "/openshell": aside + "/openshell", "": ""} {
		if got := o.called("openshell", path); got != want {
			t.Errorf("%s is called as %q, want %q", path, got, want)
		}
	}
	script(t, first+"/openshell", "")
	if got := o.called("openshell", second+"/openshell"); got != second+"/openshell" {
		t.Errorf("behind another one it is called as %q", got)
	}
}

func TestAPlainCallMayMeanAnotherGateway(t *testing.T) {
	for active, want := range map[string]bool{"nemoclaw": false, "edge": true, "": true} {
		home := t.TempDir()
		script(t, home+"/.config/openshell/active_gateway", "")
		if err := os.WriteFile(home+"/.config/openshell/active_gateway", []byte(active), 0o600); err != nil {
			t.Fatal(err)
		}
		o := Options{Env: env.Parse([]string{"HOME=" + home})}
		if got := o.hostFacts(Target{Name: "nemoclaw", Endpoint: "http://127.0.0.1:8080"}).OtherActive; got != want {
			t.Errorf("active gateway %q: %v", active, got)
		}
		if got := o.hostFacts(Target{Name: "nemoclaw"}).OtherActive; got != (active == "edge") {
			t.Errorf("active gateway %q, nothing registered: %v", active, got)
		}
	}
}

// What cannot be told to be of this host is not executed, and neither is what surely is not.
func TestOnlyWhatIsSurelyOursIsExecuted(t *testing.T) {
	for _, kind := range []RealmKind{Foreign, Unseen} {
		o := Options{UID: 1000, Processes: table{realms: map[int]Realm{7: {Kind: kind, Why: "its namespaces cannot be read"}}}}
		got, _ := o.runningVersion(t.Context(), &running{Process: Process{PID: 7, UID: 1000, Args: []string{"/usr/bin/openshell-gateway"}}})
		if got.State != drift.Unknown || !strings.Contains(got.Why, "its namespaces cannot be read: it is observed, never executed") {
			t.Errorf("%v: %+v", kind, got)
		}
	}
}

// The parent of a compat container speaks for a port that only its container holds, whatever it listens on itself.
func TestTheParentOfACompatContainerListensElsewhere(t *testing.T) {
	o := Options{Processes: table{ports: map[int][]int{7: {9}}}}
	for shape, want := range map[shape]bool{compat: false, plain: true} {
		r := running{Process: Process{PID: 7}, identity: identity{shape: shape}}
		if port, other := o.otherPort(t.Context(), Target{Port: 8080}, r); other != want {
			t.Errorf("%v: port %d, %v, want %v", shape, port, other, want)
		}
	}
}
