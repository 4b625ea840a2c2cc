package diagnose

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

type sample struct {
	Text  string `json:"text"`
	Class Class  `json:"class"`
}

func readCorpus(t *testing.T, name string) []sample {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var samples []sample
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%s: %v in %s", name, err, lines.Text())
		}
		samples = append(samples, s)
	}
	return samples
}

// drift are the classes that stop an upgrade: missing one loses data, claiming one wrongly stops work.
func isDrift(c Class) bool {
	return c == SchemaMismatch || c == SchemaMismatchSupervisor || c == VersionSkew
}

func TestCorpusIsClassified(t *testing.T) {
	for _, corpus := range []struct {
		name  string
		exact float64
	}{
		{"rpc_errors.jsonl", 0.9},
		{"own.jsonl", 0.95},
		{"field.jsonl", 0.97},
		{"field_errors.jsonl", 1},
		{"found.jsonl", 1},
	} {
		t.Run(corpus.name, func(t *testing.T) { judgeCorpus(t, readCorpus(t, corpus.name), corpus.exact) })
	}
}

func judgeCorpus(t *testing.T, samples []sample, exact float64) {
	confused := map[[2]Class]int{}
	right, missed, claimed := 0, 0, 0
	for _, s := range samples {
		got := Classify(s.Text, Pasted).Class
		confused[[2]Class{s.Class, got}]++
		if got == s.Class {
			right++
			continue
		}
		t.Logf("want %s, got %s: %.300q", s.Class, got, s.Text)
		if isDrift(s.Class) && !isDrift(got) {
			missed++
		}
		if !isDrift(s.Class) && isDrift(got) {
			claimed++
		}
	}
	t.Log("\n" + matrix(confused))
	t.Logf("%d of %d exact, %d drifts missed, %d wrongly claimed", right, len(samples), missed, claimed)
	if missed > 0 || claimed > 1 || float64(right) < exact*float64(len(samples)) {
		t.Errorf("want no drift missed, at most one wrongly claimed, and at least %.0f %% exact", 100*exact)
	}
}

func matrix(confused map[[2]Class]int) string {
	var pairs [][2]Class
	for pair := range confused {
		pairs = append(pairs, pair)
	}
	slices.SortFunc(pairs, func(a, b [2]Class) int {
		return strings.Compare(string(a[0]+a[1]), string(b[0]+b[1]))
	})
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SHOULD BE\tIS\tSAMPLES")
	for _, pair := range pairs {
		fmt.Fprintf(table, "%s\t%s\t%d\n", pair[0], pair[1], confused[pair])
	}
	table.Flush()
	return out.String()
}
