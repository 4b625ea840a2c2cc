package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func measured() report {
	r := report{machine: []string{"a machine"}, rounds: 3}
	r.backups(map[string][]sample{
		first: {{wall: 4 * time.Second, cpu: 5 * time.Second, rss: 60 << 20}}, second: {{wall: time.Second, cpu: time.Second, rss: 65 << 20}},
		dockerZstd: {{wall: 2 * time.Second, cpu: time.Second, rss: 1 << 20}}, rawCopy: {{wall: time.Second}}, verify: {{wall: time.Second}},
		zstdTest: {{wall: time.Second}}, restoreEmpty: {{wall: 5 * time.Second}}, tarExtract: {{wall: time.Second}}, dockerIn: {{wall: time.Second}},
	}, map[string]int64{first: 450e6, second: 455e6, dockerZstd: 454e6}, dataOf(1))
	return r
}

func TestTargetsAreJudged(t *testing.T) {
	r := measured()
	got := map[string]string{}
	for _, aim := range r.targets {
		got[aim.what] = aim.word()
	}
	for what, want := range map[string]string{
		"first backup": "NO", "second backup, nothing changed": "yes", "memory while backing up": "NO", "archive size": "yes",
		"verify --read-data": "yes", "restore": "yes", "bytes of both backups beyond one archive": "yes",
	} {
		if got[what] != want {
			t.Errorf("%s: %q, want %q", what, got[what], want)
		}
	}
	if _, judged := got["the same, beside restic"]; judged {
		t.Error("restic is judged where it was not measured")
	}
}

func TestPrintShowsFiguresAndVerdicts(t *testing.T) {
	r := measured()
	r.lacks("restic", "it is not installed")
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"a machine", "4.00 s (1: 4.00 s-4.00 s)", "60 MiB", "2.00 x (4.00 s beside 2.00 s); CPU 5.00 x", "SKIPPED: this machine lacks restic"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestKeepReplacesOnlyTheResults(t *testing.T) {
	page := filepath.Join(t.TempDir(), "benchmarks.md")
	write := func(content string) {
		if err := os.WriteFile(page, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + resultsBegin + "old\n" + resultsEnd + "after\n")
	r := measured()
	for range 2 {
		if err := r.keep(page); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	got := string(content)
	if !strings.HasPrefix(got, "before\n") || !strings.HasSuffix(got, "after\n") || strings.Contains(got, "old") || strings.Count(got, "a machine") != 1 {
		t.Errorf("the page is\n%s", got)
	}
	if !strings.Contains(got, `docker cp - \| zstd`) {
		t.Error("a bar ends a cell of the table")
	}
	write("no place for results\n")
	if err := r.keep(page); err == nil {
		t.Error("a page without a place for results is written to")
	}
}

func TestThePageHasAPlaceForResults(t *testing.T) {
	content, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), resultsBegin) || !strings.Contains(string(content), resultsEnd) {
		t.Error("docs/benchmarks.md has no place for the results")
	}
}
