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

// TestEveryTextOfTheCorporaIsClassified holds the confusion matrix: nothing stands off its diagonal. -v prints it.
func TestEveryTextOfTheCorporaIsClassified(t *testing.T) {
	confused := map[[2]Class]int{}
	missed, claimed := 0, 0
	for _, s := range everySample(t) {
		got := Classify(s.Text, Pasted).Class
		confused[[2]Class{s.Class, got}]++
		if got != s.Class {
			t.Errorf("want %s, got %s: %.300q", s.Class, got, s.Text)
		}
		if isDrift(s.Class) && !isDrift(got) {
			missed++
		}
		if !isDrift(s.Class) && isDrift(got) {
			claimed++
		}
	}
	for _, class := range everyClass {
		if confused[[2]Class{class, class}] == 0 {
			t.Errorf("no sample is %s", class)
		}
	}
	t.Logf("%d drifts missed, %d wrongly claimed\n%s", missed, claimed, matrix(confused))
}

func everySample(t *testing.T) []sample {
	t.Helper()
	corpora, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(corpora) < 5 {
		t.Fatalf("found the corpora %q: %v", corpora, err)
	}
	var all []sample
	for _, corpus := range corpora {
		all = append(all, readCorpus(t, filepath.Base(corpus))...)
	}
	return all
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
