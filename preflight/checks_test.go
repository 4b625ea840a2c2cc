package preflight

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/gateway"
)

func because(why string) drift.Evidence { return drift.Evidence{State: drift.Unknown, Why: why} }

func TestChecks(t *testing.T) {
	for _, test := range []struct {
		code, want string // want is "status: detail", or its beginning
		change     func(*gateway.Observation)
	}{
		{"cli-version", "pass: /home/op/.local/bin/openshell is 0.0.44", nil},
		{"cli-version", `warn: /home/op/.local/bin/openshell calls itself "0.0.0"`, func(o *gateway.Observation) { o.CLI.Version = parsed("0.0.0") }},
		{"cli-version", "warn: the version of openshell is unknown (timed out)", func(o *gateway.Observation) { o.CLI = gateway.CLI{Evidence: because("timed out")} }},
		{"cli-version", "fail: no openshell CLI was found", func(o *gateway.Observation) { o.CLI = gateway.CLI{} }},
		{"cli-version", "fail: no openshell CLI was found (looked in PATH, /usr/bin)", func(o *gateway.Observation) {
			o.CLI = gateway.CLI{Evidence: drift.Evidence{Why: "openshell CLI not found (looked in PATH, /usr/bin)"}}
		}},
		{"container-engine", "pass: unix:///var/run/docker.sock answers (API 1.51)", nil},
		{"container-engine", "pass: none on this host (no socket)", func(o *gateway.Observation) { o.Engine = engine.State{State: drift.Absent, Why: "no socket"} }},
		{"container-engine", "warn: tcp://d:1 does not answer (refused)", func(o *gateway.Observation) {
			o.Engine = engine.State{State: drift.Unknown, Host: "tcp://d:1", Why: "refused"}
		}},
		{"cluster-container", "pass: none", nil},
		{"cluster-container", "pass: none (no container openshell-cluster-x)", func(o *gateway.Observation) {
			o.Cluster.Cluster = drift.Cluster{Evidence: drift.Evidence{State: drift.Absent, Why: "no container openshell-cluster-x"}, Container: "openshell-cluster-x"}
		}},
		{"cluster-container", `pass: container "openshell-cluster-nemoclaw" is the gateway and runs image`, func(o *gateway.Observation) { o.Cluster = oldCluster().Cluster }},
		{"cluster-container", `pass: container "openshell-cluster-nemoclaw" with image "nemoclaw-cluster:0.0.36-fuse-overlayfs-aa8b8487" is stopped, so it is no evidence`, func(o *gateway.Observation) {
			o.Cluster = oldCluster().Cluster
			o.Cluster.Active, o.Cluster.Running = false, false
		}},
		{"cluster-container", `pass: container "openshell-cluster-nemoclaw" runs image "nemoclaw-cluster:0.0.36-fuse-overlayfs-aa8b8487" but is not this gateway`, func(o *gateway.Observation) {
			o.Cluster = oldCluster().Cluster
			o.Cluster.Active = false
		}},
		{"cluster-container", `warn: container "c" is the gateway; its image "k3s" tells no version`, func(o *gateway.Observation) {
			o.Cluster.Cluster = drift.Cluster{Active: true, Container: "c", Image: "k3s"}
		}},
		{"cluster-container", "warn: unknown (no answer)", func(o *gateway.Observation) { o.Cluster.Evidence = because("no answer") }},
		{"runtime-marker", "pass: /home/op/.local/state/nemoclaw/openshell-docker-gateway/runtime.json names live process 4242", nil},
		{"runtime-marker", "warn: /m is stale and ignored (process 9 is gone)", func(o *gateway.Observation) {
			o.Marker = gateway.Marker{Path: "/m", State: gateway.MarkerStale, Reason: "process 9 is gone"}
		}},
		{"runtime-marker", "pass: none (/m)", func(o *gateway.Observation) { o.Marker = gateway.Marker{Path: "/m", State: gateway.MarkerAbsent} }},
		{"host-process", "pass: process 4242 runs 0.0.44", nil},
		{"host-process", "warn: the version of process 7 (/b) is unknown (belongs to user 1001)", func(o *gateway.Observation) {
			o.Process = drift.Process{Evidence: because("belongs to user 1001"), Binary: "/b", PID: 7}
		}},
		{"host-process", "warn: unknown whether one runs (hidepid)", func(o *gateway.Observation) { o.Process = drift.Process{Evidence: because("hidepid")} }},
		{"host-process", "pass: none", func(o *gateway.Observation) { o.Process = drift.Process{} }},
		{"gateway-file", "pass: /home/op/.local/bin/openshell-gateway is 0.0.44", nil},
		{"gateway-file", "warn: the version of /b is unknown (others can write it)", func(o *gateway.Observation) {
			o.File = drift.File{Evidence: because("others can write it"), Path: "/b"}
		}},
		{"gateway-file", "pass: none", func(o *gateway.Observation) { o.File = drift.File{} }},
		{"served-version", "pass: http://127.0.0.1:8080 answers with version 0.0.44", nil},
		{"served-version", "warn: no answer from http://127.0.0.1:8080 (connection refused)", func(o *gateway.Observation) {
			o.Served = gateway.Served{Detail: "connection refused"}
		}},
		{"served-version", "warn: http://127.0.0.1:8080 answers without a version", func(o *gateway.Observation) { o.Served = gateway.Served{Answered: true} }},
		{"schema-agreement", "pass: process 4242 runs 0.0.44; the gateway at http://127.0.0.1:8080 answers with version 0.0.44", nil},
		{"schema-agreement", "warn: process 4242 runs 0.0.44", func(o *gateway.Observation) { o.File.Version = parsed("0.0.45") }},
		{"schema-agreement", "warn: no gateway process was found", func(o *gateway.Observation) {
			o.Process, o.Served, o.File = drift.Process{}, gateway.Served{}, drift.File{}
		}},
		{"schema-agreement", "fail: openshell CLI 0.0.44, running gateway binary: /home/op/.local/bin/openshell-gateway (0.0.43). Process 4242 still runs", func(o *gateway.Observation) { *o = oldProcess() }},
		{"schema-agreement", "skip: not evaluated: needs cli-version (fail)", func(o *gateway.Observation) { o.CLI = gateway.CLI{} }},
	} {
		o := healthy()
		if test.change != nil {
			test.change(&o)
		}
		r := resultOf(t, o, test.code)
		if got := fmt.Sprintf("%s: %s", r.Status, r.Detail); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.code, got, test.want)
		}
	}
}

func resultOf(t *testing.T, o gateway.Observation, code string) Result {
	t.Helper()
	for _, r := range RunChecks(t.Context(), Checks(o), nil) {
		if r.Code == code {
			return r
		}
	}
	t.Fatalf("no check %q", code)
	return Result{}
}

func TestChecksTakeWhatTheirProbeTook(t *testing.T) {
	o := healthy()
	o.Probes = append(o.Probes, gateway.Probe{Code: "served-version", Took: 1500 * time.Millisecond})
	if got := resultOf(t, o, "served-version").TookMs; got != 1500 {
		t.Errorf("served-version took %d ms, want the probe's 1500", got)
	}
}

func TestChecksFixIsOneCommand(t *testing.T) {
	for name, test := range map[string]struct {
		o    gateway.Observation
		want string
	}{
		"save first":        {with(oldProcess(), managed, containers), "sandkeeper backup-all --offline"},
		"managed":           {with(oldProcess(), managed), "nemoclaw onboard --resume"},
		"package":           {with(oldProcess(), packaged), "systemctl --user restart openshell-gateway"},
		"restart is no fix": {with(oldProcess(), packaged, onDisk("0.0.43")), ""},
		"by hand":           {oldProcess(), ""},
		"remote":            {oldRemote(), ""},
	} {
		if got := resultOf(t, test.o, "schema-agreement").Fix; got != test.want {
			t.Errorf("%s: fix %q, want %q", name, got, test.want)
		}
	}
	o := with(healthy(), chosen("nemoclaw-8091"), func(o *gateway.Observation) { o.Served = gateway.Served{} })
	if got := resultOf(t, o, "served-version").Fix; got != "openshell status -g nemoclaw-8091" {
		t.Errorf("fix of an unanswered gateway is %q", got)
	}
}

// TestChecksAreDocumented: a code is a promise, and docs/checks.md says what each looks at, what its outcomes mean, and what to do.
func TestChecksAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, check := range Checks(healthy()) {
		if !kebab.MatchString(check.Code) || check.Title == "" {
			t.Errorf("check %q (%q) is not kebab-case with a title", check.Code, check.Title)
		}
		_, section, ok := strings.Cut(string(text), "\n## "+check.Code+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, part := range []string{"Looks at", "Means", "Do"} {
			if !ok || !strings.Contains(section, "**"+part+"**") {
				t.Errorf("docs/checks.md has no %q for %q", part, check.Code)
			}
		}
	}
}
