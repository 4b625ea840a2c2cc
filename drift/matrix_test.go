package drift

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

const (
	installed = "0.0.37"
	other     = "0.0.36"
)

func standings() []string { return []string{"absent", "agrees", "differs", "unknown"} }
func clusterStandings() []string {
	return []string{"absent", "inactive", "active-agrees", "active-differs", "active-unknown", "unknown"}
}
func cliStandings() []string { return []string{"known", "unknown", "absent"} }

// cell is one combination of evidence.
type cell struct{ cli, cluster, process, file, served string }

func (c cell) String() string {
	return fmt.Sprintf("cli=%s cluster=%s process=%s file=%s served=%s", c.cli, c.cluster, c.process, c.file, c.served)
}

func evidence(standing string) Evidence {
	switch standing {
	case "agrees", "known":
		return Evidence{State: Known, Version: parsed(installed)}
	case "differs":
		return Evidence{State: Known, Version: parsed(other)}
	case "unknown":
		return Evidence{State: Unknown, Why: "no answer within 15s"}
	}
	return Evidence{State: Absent}
}

func (c cell) observation() Observation {
	o := Observation{
		CLI:     evidence(c.cli),
		Process: Process{Evidence: evidence(c.process)},
		File:    File{Evidence: evidence(c.file)},
		Served:  Served{Evidence: evidence(c.served), Endpoint: "http://127.0.0.1:8080"},
	}
	if c.process != "absent" {
		o.Process.PID, o.Process.Binary = 4242, "/opt/openshell-gateway"
	}
	if c.file != "absent" {
		o.File.Path = "/opt/openshell-gateway"
	}
	o.Cluster = cluster(c.cluster)
	return o
}

func cluster(standing string) Cluster {
	named := Cluster{Container: "openshell-cluster-nemoclaw", Image: "ghcr.io/nvidia/openshell/cluster:" + other}
	switch standing {
	case "inactive": // a leftover that would be drift if it counted
		named.Evidence = evidence("differs")
	case "active-agrees":
		named.Evidence, named.Active, named.Image = evidence("agrees"), true, "ghcr.io/nvidia/openshell/cluster:"+installed
	case "active-differs":
		named.Evidence, named.Active = evidence("differs"), true
	case "active-unknown":
		named.Evidence, named.Active, named.Image = Evidence{State: Unknown}, true, "registry.local:5000/k3s:latest"
	case "unknown":
		return Cluster{Evidence: evidence("unknown")}
	default:
		return Cluster{Evidence: evidence("absent")}
	}
	return named
}

func everyCell(visit func(cell)) {
	for _, cli := range cliStandings() {
		for _, cluster := range clusterStandings() {
			for _, process := range standings() {
				for _, file := range standings() {
					for _, served := range standings() {
						visit(cell{cli, cluster, process, file, served})
					}
				}
			}
		}
	}
}

// TestMatrix holds the verdict of all 1152 combinations against a table that people read and review.
func TestMatrix(t *testing.T) {
	got := matrix()
	const golden = "testdata/matrix.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("assessments differ from %s (-want +got):\n%s", golden, diff)
	}
}

func matrix() string {
	var b strings.Builder
	b.WriteString(legend)
	everyCell(func(c cell) {
		switch {
		case c.process == "absent" && c.file == "absent" && c.served == "absent":
			fmt.Fprintf(&b, "\nCLI %s, cluster %s\n", c.cli, c.cluster)
			fmt.Fprintf(&b, "  %-9s %-9s", "process", "file")
			for _, served := range standings() {
				fmt.Fprintf(&b, " %-15s", "served "+served)
			}
			fallthrough
		case c.served == "absent":
			fmt.Fprintf(&b, "\n  %-9s %-9s", c.process, c.file)
		}
		fmt.Fprintf(&b, " %-15s", outcome(Assess(c.observation())))
		if c.served == "unknown" && c.file == "unknown" && c.process == "unknown" {
			b.WriteByte('\n')
		}
	})
	var lines []string
	for line := range strings.SplitSeq(b.String(), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

const legend = `What drift.Assess says for every combination of evidence (agrees, differs: from the CLI's version).

  pass         something that serves now agrees with the CLI, and nothing that counts differs
  IMAGE        refused: the active cluster's image differs
  HOST         refused: the live process differs
  HOST-file    refused: the file that would be started differs, and nothing better is known
  SERVED       refused: the gateway's own answer differs
  unverified   nothing differs and nothing confirms
  *            with a warning beside the verdict
`

func outcome(a Assessment) string {
	mark := ""
	if len(a.Warnings) > 0 {
		mark = "*"
	}
	if a.Verdict != Refuse {
		return string(a.Verdict) + mark
	}
	switch f := a.Findings[0]; {
	case f.Kind == ImageDrift:
		return "IMAGE" + mark
	case f.Kind == ServedDrift:
		return "SERVED" + mark
	case f.Source == FromFile:
		return "HOST-file" + mark
	}
	return "HOST" + mark
}
