package preflight

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/drift"
	"sandkeeper/gateway"
)

// TestRecoveryIsAWayOut: every refusal has steps, ends with the command to rerun, warns of loss, and saves first where it can.
func TestRecoveryIsAWayOut(t *testing.T) {
	for _, s := range situations() {
		steps := s.report.Recovery
		if len(steps) < 3 {
			t.Errorf("%s: %d steps, want repair, caution and rerun: %q", s.name, len(steps), steps)
			continue
		}
		if last := steps[len(steps)-1]; !strings.HasPrefix(last, "Rerun `sandkeeper ") {
			t.Errorf("%s: ends with %q, want the command to rerun", s.name, last)
		}
		if caution := steps[len(steps)-2]; !strings.Contains(caution, "preserve sandbox state first; do not ") {
			t.Errorf("%s: %q does not say what must not be lost", s.name, caution)
		}
	}
}

func TestRecoverySavesFirst(t *testing.T) {
	for name, o := range map[string]gateway.Observation{"host": oldProcess(), "file": oldFile(), "image": oldCluster(), "healthy": healthy()} {
		r := JudgeMismatch(with(o, containers), BackingUp(), decodeError)
		if !strings.Contains(r.Recovery[0], "`sandkeeper backup-all --offline`") {
			t.Errorf("%s: first step is %q", name, r.Recovery[0])
		}
		r = JudgeMismatch(o, BackingUp(), decodeError)
		if strings.Contains(strings.Join(r.Recovery, "\n"), "--offline") {
			t.Errorf("%s: advises an offline backup where there is nothing to save: %q", name, r.Recovery)
		}
	}
}

// TestRootIsToldNoSudo: a host on which people are root may have none.
func TestRootIsToldNoSudo(t *testing.T) {
	asRoot := func(o *gateway.Observation) { snapped(o); o.Host.Root = true }
	steps := strings.Join(Judge(with(oldProcess(), asRoot), BackingUp()).Recovery, "\n")
	if !strings.Contains(steps, "`snap restart openshell.gateway`") {
		t.Errorf("root is told:\n%s", steps)
	}
}

// TestRecoveryNamesOnlyWhatIsThere: each command appears exactly on hosts that have it.
func TestRecoveryNamesOnlyWhatIsThere(t *testing.T) {
	commands := map[string]func(*gateway.Observation){
		"nemoclaw onboard --resume":                  managed,
		"systemctl --user restart openshell-gateway": packaged,
		"brew services restart openshell":            brewed,
		"sudo snap restart openshell.gateway":        snapped,
		"kill 4242":                                  func(*gateway.Observation) {},
	}
	for command := range commands {
		for host, change := range commands {
			steps := strings.Join(Judge(with(oldProcess(), change), BackingUp()).Recovery, "\n")
			if got, want := strings.Contains(steps, "`"+command+"`"), command == host; got != want {
				t.Errorf("host of %q: says %q: %v\n%s", host, command, got, steps)
			}
		}
	}
}

func TestRecoveryKillsOnlyTheMarkedGateway(t *testing.T) {
	for name, change := range map[string]func(*gateway.Observation){
		"no marker":            noMarker,
		"stale marker":         func(o *gateway.Observation) { o.Marker.State = gateway.MarkerStale },
		"marker of another":    func(o *gateway.Observation) { o.Marker.PID = 1 },
		"nemoclaw not on path": func(o *gateway.Observation) { noMarker(o); o.Host.Managed = true },
	} {
		steps := strings.Join(Judge(with(oldProcess(), change), BackingUp()).Recovery, "\n")
		if strings.Contains(steps, "`kill") || strings.Contains(steps, "nemoclaw onboard") || !strings.Contains(steps, "4242") {
			t.Errorf("%s: %s", name, steps)
		}
	}
}

func TestRecoveryAcrossBreakRestartsNothing(t *testing.T) {
	for _, change := range []func(*gateway.Observation){managed, packaged, brewed, snapped, noMarker} {
		for _, version := range []string{"0.1.2", "0.1.9"} {
			steps := strings.Join(Judge(with(oldProcess(), change, installedIs(version), onDisk(version)), Upgrading()).Recovery, "\n")
			if strings.Contains(steps, "restart") || strings.Contains(steps, "onboard") || !strings.Contains(steps, "in place between OpenShell 0.0.x and 0.1.x is not possible") {
				t.Errorf("%s: %s", version, steps)
			}
		}
	}
}

func TestRecoveryKeepsTheGatewayName(t *testing.T) {
	for name, want := range map[string]string{
		"nemoclaw":    "Rerun `sandkeeper backup-all -g nemoclaw` after `openshell status -g nemoclaw` reports a healthy gateway.",
		"it's a $(b)": `Rerun ` + "`" + `sandkeeper backup-all -g 'it'\''s a $(b)'` + "` after `" + `openshell status -g 'it'\''s a $(b)'` + "` reports a healthy gateway.",
	} {
		steps := Judge(with(oldProcess(), chosen(name)), BackingUp()).Recovery
		if diff := cmp.Diff(want, steps[len(steps)-1]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRecoveryNamesTheVolumes(t *testing.T) {
	r := Judge(oldCluster(), BackingUp())
	const want = "do not remove `openshell-cluster-nemoclaw` Docker volumes unless you have a backup and explicitly accept state loss"
	if steps := strings.Join(r.Recovery, "\n"); !strings.Contains(steps, want) || r.Issue.Kind != drift.ImageDrift {
		t.Errorf("%q is not in:\n%s", want, steps)
	}
}

// A process that this user may not signal is not to be killed by it, and a file that is gone is not to be started.
func TestRestartIsPossible(t *testing.T) {
	strange := Judge(with(oldProcess(), func(o *gateway.Observation) { o.Stranger = "user 0" }), BackingUp())
	if steps := strings.Join(strange.Recovery, "\n"); strings.Contains(steps, "`kill ") || !strings.Contains(steps, "4242 belongs to user 0") {
		t.Errorf("another user's process:\n%s", steps)
	}
	gone := Judge(with(oldProcess(), func(o *gateway.Observation) { o.File = drift.File{Evidence: drift.Evidence{State: drift.Absent}} }), BackingUp())
	if steps := strings.Join(gone.Recovery, "\n"); strings.Contains(steps, "then start /home") || !strings.Contains(steps, "no longer on disk") {
		t.Errorf("deleted file:\n%s", steps)
	}
}

// What is advised acts on the gateway that is meant, with the programs that were looked at, under the user whose gateway it is.
func TestAdviceFitsTheHost(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(*gateway.Observation)
		want, not string
	}{
		"another gateway is active": {func(o *gateway.Observation) { o.Host.OtherActive = true }, "`openshell status -g nemoclaw`", "`openshell status`"},
		"the CLI is not on PATH":    {func(o *gateway.Observation) { o.Host.CallOpenShell = "/opt/new cli/openshell" }, "`'/opt/new cli/openshell' status`", "`openshell status`"},
		"nemoclaw is not on PATH": {func(o *gateway.Observation) {
			o.Host = gateway.Host{NemoClaw: "/u/bin/nemoclaw", CallNemoClaw: "/u/bin/nemoclaw", Managed: true}
		}, "`/u/bin/nemoclaw onboard --resume`", "`nemoclaw"},
		"the gateway is another user's": {func(o *gateway.Observation) {
			o.Host.Start, o.Stranger, o.Process.Binary = "systemctl --user start openshell-gateway", "user 1000", "/usr/bin/openshell-gateway"
		}, "belongs to user 1000", "systemctl --user"},
	} {
		steps := strings.Join(Judge(with(oldProcess(), test.change), BackingUp()).Recovery, "\n")
		if !strings.Contains(steps, test.want) || strings.Contains(steps, test.not) {
			t.Errorf("%s: want %s and not %s in:\n%s", name, test.want, test.not, steps)
		}
	}
}

// A gateway that is stopped stops its sandboxes: that is said before the step that does it, and only there.
func TestSandboxesStopWithTheirGateway(t *testing.T) {
	const said = "sandboxes that run stop with the gateway"
	runs := func(version string) gateway.Observation {
		return with(oldProcess(), installedIs("0.0.116"), func(o *gateway.Observation) { o.Process.Version = parsed(version) })
	}
	contained := func(version string, maker gateway.Maker) gateway.Observation {
		return with(oldContainer(maker), installedIs("0.0.116"), func(o *gateway.Observation) { o.Cluster.Version = parsed(version) })
	}
	for name, c := range map[string]struct {
		o         gateway.Observation
		wantsThat bool
	}{
		"0.0.112":                       {with(runs("0.0.112"), noMarker), true},
		"0.0.112, nemoclaw's":           {with(runs("0.0.112"), managed), true},
		"0.0.112, a service's":          {with(runs("0.0.112"), packaged), true},
		"0.0.110":                       {runs("0.0.110"), true},
		"0.0.37, the first process":     {runs("0.0.37"), true},
		"0.0.112, and the CLI is older": {with(runs("0.0.112"), installedIs("0.0.105")), false},
		"nothing runs":                  {oldFile(), false},
		"a container":                   {contained("0.0.110", gateway.Maker{}), true},
		"a service of compose":          {contained("0.0.110", gateway.Maker{Compose: "gateway"}), true},
		"a unit's container":            {contained("0.0.110", gateway.Maker{Unit: "gw.service"}), true},
		"a cluster's pod":               {contained("0.0.110", gateway.Maker{Cluster: true}), false},
		"a cluster of before 0.0.37":    {with(oldCluster(), installedIs("0.0.116")), false},
		"another one at its endpoint": {with(runs("0.0.116"), func(o *gateway.Observation) {
			o.Process.State, o.Served.Version = drift.Known, parsed("0.0.110")
		}), true},
	} {
		steps := Judge(c.o, BackingUp()).Recovery
		at := slices.IndexFunc(steps, func(step string) bool { return strings.Contains(step, said) })
		if (at >= 0) != c.wantsThat {
			t.Errorf("%s: %q", name, steps)
		}
		if at >= 0 && !strings.Contains(strings.ToLower(steps[at+1]), "gateway") && !strings.Contains(steps[at+1], "gw") {
			t.Errorf("%s: the next step stops no gateway: %q", name, steps[at+1])
		}
	}
}
