package main

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
)

// The table lies between these two lines of a page.
const (
	tableBegins = "<!-- mutants: written by go run ./test/mutate -page -->"
	tableEnds   = "<!-- end of mutants -->"
)

func summary(results []result) string {
	n := count(results, "")
	return fmt.Sprintf("%d mutants: %d killed, %d survived, %d broken", len(results), n[killed], n[survived], n[broken])
}

func count(results []result, room string) map[string]int {
	n := map[string]int{}
	for _, r := range results {
		if room == "" || path.Dir(r.File) == room {
			n[r.verdict]++
		}
	}
	return n
}

// unexplained is an error when a test is missing, or when a list is out of date.
func unexplained(results []result) error {
	var names []string
	for _, r := range results {
		if r.verdict == broken || r.verdict == survived && r.Why == "" {
			names = append(names, fmt.Sprintf("%s (%s)", r.Title, r.verdict))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("not noticed, and not explained: %s", strings.Join(names, "; "))
}

// table has a row for each package and then the survivors.
func table(results []result) string {
	var rooms []string
	for _, r := range results {
		rooms = append(rooms, path.Dir(r.File))
	}
	slices.Sort(rooms)
	var b strings.Builder
	fmt.Fprintln(&b, "| package | mutants | killed | survived |\n|---|---|---|---|")
	for _, room := range slices.Compact(rooms) {
		n := count(results, room)
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d |\n", room, n[killed]+n[survived]+n[broken], n[killed], n[survived])
	}
	n := count(results, "")
	fmt.Fprintf(&b, "| all | %d | %d | %d |\n", len(results), n[killed], n[survived])
	for _, r := range results {
		if r.verdict == survived {
			fmt.Fprintf(&b, "\nSurvived: %s (`%s`). %s\n", r.Title, r.File, r.Why)
		}
	}
	return b.String()
}

func writePage(file string, results []result) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), tableBegins)
	_, after, ended := strings.Cut(rest, tableEnds)
	if !begun || !ended {
		return fmt.Errorf("%s has no place for the table: %q … %q", file, tableBegins, tableEnds)
	}
	return os.WriteFile(file, []byte(before+tableBegins+"\n\n"+table(results)+"\n"+tableEnds+after), 0o644)
}
