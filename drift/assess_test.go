package drift

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parsed is what the text says, a version or none.
func parsed(text string) Version {
	v, _ := Parse(text)
	return v
}

func known(v string) Evidence { return Evidence{State: Known, Version: parsed(v)} }

// alike compares findings: versions are values.
var alike = cmp.Comparer(func(a, b Version) bool { return a == b })

func TestAssessFindings(t *testing.T) {
	const image = "nemoclaw-cluster:0.0.36-fuse-overlayfs-aa8b8487"
	active := Cluster{Evidence: known("0.0.36"), Active: true, Container: "openshell-cluster-nemoclaw", Image: image}
	for name, test := range map[string]struct {
		observation Observation
		want        Finding
	}{
		"patched image of an active cluster": {
			Observation{CLI: known("0.0.37"), Cluster: active},
			Finding{Kind: ImageDrift, Installed: parsed("0.0.37"), Running: parsed("0.0.36"), Container: "openshell-cluster-nemoclaw", Image: image},
		},
		"image newer than the CLI": {
			Observation{CLI: known("0.0.35"), Cluster: active},
			Finding{Kind: ImageDrift, Installed: parsed("0.0.35"), Running: parsed("0.0.36"), Container: "openshell-cluster-nemoclaw", Image: image},
		},
		"old process after an in-place upgrade": {
			Observation{
				CLI: known("0.0.44"), Process: Process{known("0.0.43"), "/usr/bin/openshell-gateway (deleted)", 7},
				File: File{known("0.0.44"), "/usr/bin/openshell-gateway"},
			},
			Finding{
				Kind: HostProcessDrift, Source: FromProcess, Installed: parsed("0.0.44"), Running: parsed("0.0.43"),
				Binary: "/usr/bin/openshell-gateway (deleted)", PID: 7,
			},
		},
		"file, nothing running": {
			Observation{CLI: known("0.0.44"), File: File{known("v0.0.43"), "/usr/bin/openshell-gateway"}},
			Finding{Kind: HostProcessDrift, Source: FromFile, Installed: parsed("0.0.44"), Running: parsed("0.0.43"), Binary: "/usr/bin/openshell-gateway"},
		},
		"remote gateway": {
			Observation{CLI: known("0.0.110"), Served: Served{known("0.1.2"), "https://gw.example:443"}},
			Finding{Kind: ServedDrift, Installed: parsed("0.0.110"), Running: parsed("0.1.2"), Endpoint: "https://gw.example:443"},
		},
		"process agrees, the answer comes from another": {
			Observation{CLI: known("0.0.44"), Process: Process{known("0.0.44"), "/b", 7}, Served: Served{known("0.0.43"), "http://h:1"}},
			Finding{Kind: ServedDrift, Installed: parsed("0.0.44"), Running: parsed("0.0.43"), Endpoint: "http://h:1"},
		},
		"pre-release of the same number": {
			Observation{CLI: known("0.0.112"), Served: Served{known("0.0.112-dev.3+gabcdef012"), ""}},
			Finding{Kind: ServedDrift, Installed: parsed("0.0.112"), Running: parsed("0.0.112-dev.3+gabcdef012")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Assess(test.observation)
			if diff := cmp.Diff([]Finding{test.want}, got.Findings, alike); got.Verdict != Refuse || diff != "" {
				t.Errorf("verdict %s, findings (-want +got):\n%s", got.Verdict, diff)
			}
		})
	}
}

func TestAssessWords(t *testing.T) {
	for name, test := range map[string]struct {
		observation Observation
		verdict     Verdict
		words       []string // each must be in Confirmed, Doubt or a warning
	}{
		"a replaced file warns": {
			Observation{CLI: known("0.0.43"), Process: Process{known("0.0.43"), "/b", 42}, File: File{known("0.0.44"), "/b"}},
			Pass,
			[]string{"process 42 runs 0.0.43", `file "/b" is 0.0.44`, "will drift on next restart"},
		},
		"a build without a version": {
			Observation{CLI: known("0.0.43"), Served: Served{known("0.0.0"), "http://h:1"}},
			Unverified,
			[]string{`"0.0.0" is not the version of a release`},
		},
		"CLI without a version": {
			Observation{CLI: known("0.0.0"), Served: Served{known("0.0.0"), ""}},
			Unverified,
			[]string{"openshell CLI is unknown", "0.0.0"},
		},
		"unreadable process": {
			Observation{
				CLI: known("0.0.43"), File: File{known("0.0.43"), "/b"},
				Process: Process{Evidence{State: Unknown, Why: "belongs to user 1001"}, "/b", 42},
			},
			Unverified,
			[]string{"process 42 is a gateway of unknown version (belongs to user 1001)", `that file "/b" is 0.0.43`},
		},
		"silent engine": {
			Observation{CLI: known("0.0.43"), File: File{known("0.0.43"), "/b"}, Cluster: Cluster{Evidence: Evidence{State: Unknown, Why: "docker did not answer"}}},
			Unverified,
			[]string{"cluster container serves is unknown (docker did not answer)"},
		},
		"process table closed": {
			Observation{CLI: known("0.0.43"), Process: Process{Evidence: Evidence{State: Unknown, Why: "hidepid"}}},
			Unverified,
			[]string{"whether a gateway process runs is unknown (hidepid)", "no gateway file was found"},
		},
		"active cluster with a foreign image": {
			Observation{CLI: known("0.0.36"), Cluster: Cluster{Active: true, Container: "c", Image: "k3s:latest"}},
			Unverified,
			[]string{`image "k3s:latest" of container "c" tells no version`},
		},
		"two answers": {
			Observation{CLI: known("0.0.44"), Process: Process{known("0.0.43"), "/b", 42}, Served: Served{known("0.0.44"), "http://h:1"}},
			Refuse,
			[]string{"at http://h:1 answers with version 0.0.44", "process 42 is the evidence that decides: 0.0.43"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Assess(test.observation)
			text := strings.Join(append(got.Warnings, got.Confirmed, got.Doubt), "\n")
			if got.Verdict != test.verdict {
				t.Errorf("got %s, want %s: %+v", got.Verdict, test.verdict, got)
			}
			for _, words := range test.words {
				if !strings.Contains(text, words) {
					t.Errorf("%q is not said in:\n%s", words, text)
				}
			}
		})
	}
}

// The gateway's version is that of the evidence which decides in Assess.
func TestGatewayVersion(t *testing.T) {
	process, served := Process{Evidence: known("0.0.43")}, Served{Evidence: known("0.0.44")}
	for name, test := range map[string]struct {
		observation Observation
		want        string
	}{
		"a cluster before its process and its answer": {Observation{Cluster: Cluster{Evidence: known("0.0.36"), Active: true}, Process: process, Served: served}, "0.0.36"},
		"a cluster without a version, by its answer":  {Observation{Cluster: Cluster{Active: true}, Process: process, Served: served}, "0.0.44"},
		"a leftover cluster is no gateway":            {Observation{Cluster: Cluster{Evidence: known("0.0.36")}, Process: process, Served: served}, "0.0.43"},
		"a build without a version, by its answer":    {Observation{Process: Process{Evidence: known("0.0.0")}, Served: served}, "0.0.44"},
		"the file is not what runs":                   {Observation{File: File{Evidence: known("0.0.44")}}, ""},
	} {
		if got := test.observation.Gateway(); got.String() != test.want || got.Known() != (test.want != "") {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
