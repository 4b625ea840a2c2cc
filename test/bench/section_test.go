package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func measured() *section {
	r := &section{group: groups()[0], machine: "a machine", began: time.Date(2026, 11, 27, 2, 30, 0, 0, time.UTC), loadBefore: "0.1", loadAfter: "2"}
	r.first(map[string][]sample{
		first: {{wall: 4 * time.Second, cpu: 5 * time.Second, rss: 60 << 20}}, second: {{wall: 500 * time.Millisecond, cpu: time.Second, rss: 65 << 20}},
		tarZstd: {{wall: 2 * time.Second, cpu: time.Second, rss: 1 << 20}}, resticFirst: {{wall: 8 * time.Second}}, verify: {{wall: time.Second}},
		zstdTest: {{wall: time.Second}},
	}, map[string]int64{first: 450e6, second: 455e6, tarZstd: 454e6}, dataOf(1))
	return r
}

func TestTargetsAreJudged(t *testing.T) {
	got := map[string]string{}
	for _, aim := range measured().targets {
		got[aim.what] = aim.word()
	}
	for what, want := range map[string]string{
		"first backup, direct way": "NO", "the same, beside restic": "yes", "nothing changed": "yes", "memory while backing up 20,006 files": "NO",
		"archive size": "yes", "verify --read-data": "yes", "bytes of both backups beyond one archive": "yes",
	} {
		if got[what] != want {
			t.Errorf("%s: %q, want %q", what, got[what], want)
		}
	}
	if _, judged := got["the same, beside borg"]; judged {
		t.Error("borg is judged where it was not measured")
	}
}

func TestPrintShowsFiguresAndVerdicts(t *testing.T) {
	r := measured()
	r.lacks("borg", "it is not installed")
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"a machine", "4.00 s (1: 4.00 s-4.00 s)", "65 MiB", "2.00 x (4.00 s beside 2.00 s)", "SKIPPED: this machine lacks borg"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// pageWith is a page with place for results, and these in it.
func pageWith(t *testing.T, results string) string {
	t.Helper()
	page := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(page, []byte("before\n"+resultsBegin+results+resultsEnd+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return page
}

func contentOf(t *testing.T, page string) string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestKeepReplacesOnlyTheResults(t *testing.T) {
	page := pageWith(t, "old\n")
	for range 2 {
		if err := measured().keep(page); err != nil {
			t.Fatal(err)
		}
	}
	got := contentOf(t, page)
	if !strings.HasPrefix(got, "before\n") || !strings.HasSuffix(got, "after\n") || strings.Contains(got, "old") || strings.Count(got, "a machine") != 1 {
		t.Errorf("the page is\n%s", got)
	}
	if !strings.Contains(got, `tar \| zstd`) {
		t.Error("a bar ends a cell of the table")
	}
	if !strings.Contains(got, "5 of 7 targets are met.") {
		t.Errorf("the targets are counted otherwise:\n%s", got)
	}
	if err := os.WriteFile(page, []byte("no place for results\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := measured().keep(page); err == nil {
		t.Error("a page without a place for results is written to")
	}
}

// TestWhatIsNotMeasuredKeepsItsDate holds that a run of one group leaves the figures of another as they are.
func TestWhatIsNotMeasuredKeepsItsDate(t *testing.T) {
	page := pageWith(t, "")
	later := &section{group: groups()[1], machine: "another machine", began: time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)}
	later.aim("a day later, bytes", "<= 1/5 of restic's", true, "0.1 x")
	for _, r := range []*section{later, measured()} {
		if err := r.keep(page); err != nil {
			t.Fatal(err)
		}
	}
	got := contentOf(t, page)
	for _, want := range []string{
		"| nothing changed | &lt;= 0.6 s | 500 ms | yes | 2026-11-27 02:30 UTC | `first` |",
		"| a day later, bytes | &lt;= 1/5 of restic's | 0.1 x | yes | 2026-11-28 03:00 UTC | `day` |",
		"Measured 2026-11-28 03:00 UTC on another machine", "Measured 2026-11-27 02:30 UTC on a machine", "6 of 8 targets are met.",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is there %d times in\n%s", want, strings.Count(got, want), got)
		}
	}
	if strings.Index(got, "`first` |") > strings.Index(got, "`day` |") {
		t.Error("the groups are not in their order")
	}
}

func TestGroupsAreChosenByName(t *testing.T) {
	chosen, err := choose("restore, first")
	if err != nil || len(chosen) != 2 || chosen[0].name != "first" || chosen[1].name != "restore" {
		t.Errorf("chosen %v, %v", chosen, err)
	}
	if _, err := choose("first,typo"); err == nil || !strings.Contains(err.Error(), "million") {
		t.Errorf("a group that is not there: %v", err)
	}
	if all, err := choose(""); err != nil || len(all) != len(groups()) {
		t.Errorf("without names: %d groups, %v", len(all), err)
	}
}

// TestThePageKeepsItsResults holds that a run which measures nothing would leave the page as it is.
func TestThePageKeepsItsResults(t *testing.T) {
	content := contentOf(t, "../../docs/benchmarks.md")
	_, rest, begins := strings.Cut(content, resultsBegin)
	results, _, ends := strings.Cut(rest, resultsEnd)
	if !begins || !ends {
		t.Fatal("docs/benchmarks.md has no place for the results")
	}
	if again := parseResults(results).markdown(); again != results {
		t.Errorf("its results would become\n%s", again)
	}
}
