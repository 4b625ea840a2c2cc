package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	got, err := parse("a comment\n== a title\n@ drift/assess.go\n- a\n- b\n+ c\n\n== another\n@ x.go\n- d\n$ ./x -run Y\n? nobody can\n")
	want := []mutant{
		{Title: "a title", File: "drift/assess.go", Old: "a\nb", New: "c", Tests: []string{"./drift"}},
		{Title: "another", File: "x.go", Old: "d", Tests: []string{"./x", "-run", "Y"}, Why: "nobody can"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"== no file\n- a\n", "== nothing\n@ x.go\n", "== same\n@ x.go\n- a\n+ a\n"} {
		if got, err := parse(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

func TestTurned(t *testing.T) {
	m := mutant{File: "x.go", Old: "if a {\nb()", New: "if !a {\nb()"}
	if got, err := m.turned("x\n\tif a {\n\t\tb()\n\t}\n"); err != nil || got != "x\nif !a {\nb()\n\t}\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, source := range []string{"", "if a {\nc()\n", "if a {\nb()\nif a {\nb()\n"} {
		if got, err := m.turned(source); err == nil {
			t.Errorf("%q became %q", source, got)
		}
	}
}

// Every list can be read. Whether its lines are still there is found when it is run: who changes a line must not have to know the lists.
func TestListsCanBeRead(t *testing.T) {
	mutants, err := readLists("lists/*.txt", "")
	if err != nil || len(mutants) == 0 {
		t.Errorf("%d mutants, %v", len(mutants), err)
	}
}

func TestTable(t *testing.T) {
	results := []result{
		{mutant: mutant{Title: "a", File: "drift/a.go"}, verdict: killed},
		{mutant: mutant{Title: "b", File: "drift/b.go", Why: "only a power cut shows it."}, verdict: survived},
		{mutant: mutant{Title: "c", File: "gateway/c.go"}, verdict: killed},
	}
	want := "| `drift` | 2 | 1 | 1 |\n| `gateway` | 1 | 1 | 0 |\n| all | 3 | 2 | 1 |\n\nSurvived: b (`drift/b.go`). only a power cut shows it.\n"
	if got := table(results); !strings.HasSuffix(got, want) {
		t.Errorf("table:\n%s", got)
	}
	if err := unexplained(results); err != nil {
		t.Error(err)
	}
	results[1].Why = ""
	if err := unexplained(results); err == nil || !strings.Contains(err.Error(), "b (survived)") {
		t.Errorf("a survivor without a reason is fine: %v", err)
	}
}
