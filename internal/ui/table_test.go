package ui

import (
	"strings"
	"testing"
)

func TestTableAlignsBeforeItPaints(t *testing.T) {
	var table Table
	table.Row("ok", "cli-version", "0.0.44")
	table.Row("FAIL", "served", "a\x1b[31mb")
	var out strings.Builder
	table.Print(&out, func(first, line string) string { return "<" + first + ">" + line })
	want := "<ok>  ok    cli-version  0.0.44\n<FAIL>  FAIL  served       a\ufffd[31mb\n"
	if out.String() != want {
		t.Errorf("table:\n%s\nwant:\n%s", out.String(), want)
	}
	if table.Len() != 2 {
		t.Errorf("Len = %d, want 2", table.Len())
	}
}

func TestTableTrimsTrailingSpace(t *testing.T) {
	var table Table
	table.Row("a", "")
	table.Row("bb", "x")
	var out strings.Builder
	table.Print(&out, nil)
	if want := "  a\n  bb  x\n"; out.String() != want {
		t.Errorf("table = %q, want %q", out.String(), want)
	}
}

// On a terminal a long last cell is continued below itself; a pipe gets one line a row.
func TestTableFoldsToTheTerminal(t *testing.T) {
	for _, tc := range []struct {
		width int
		want  string
	}{
		{0, "  ok    cli  openshell is of version 0.0.110 and on PATH\n  FAIL  x    short\n"},
		{44, "  ok    cli  openshell is of version 0.0.110\n             and on PATH\n  FAIL  x    short\n"},
		{30, "  ok    cli\n      openshell is of version\n      0.0.110 and on PATH\n  FAIL  x    short\n"},
	} {
		table := Table{Width: tc.width}
		table.Row("ok", "cli", "openshell is of version 0.0.110 and on PATH")
		table.Row("FAIL", "x", "short")
		var out strings.Builder
		table.Print(&out, nil)
		if out.String() != tc.want {
			t.Errorf("width %d: %q, want %q", tc.width, out.String(), tc.want)
		}
	}
}

// A path that does not fit beside the other cells goes below them: a terminal would break it in the middle, and so whoever copies it.
func TestTableKeepsWordsWhole(t *testing.T) {
	table := Table{Width: 48}
	table.Row("ok", "cli", "at /home/op/.local/state/nemoclaw/run.json")
	var out strings.Builder
	table.Print(&out, nil)
	if want := "  ok  cli\n      at /home/op/.local/state/nemoclaw/run.json\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
