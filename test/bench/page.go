package main

import (
	"fmt"
	"os"
	"strings"
)

// What stands between these two lines of the page is the latest result; the rest of it is written by people.
const (
	resultsBegin = "<!-- results: written by make bench -->\n"
	resultsEnd   = "<!-- end of results -->\n"
)

// keep replaces the results in the page.
func (r *report) keep(path string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(page), resultsBegin)
	_, after, ends := strings.Cut(rest, resultsEnd)
	if !begins || !ends {
		return fmt.Errorf("%s has no place for the results: a line %q and a line %q", path, strings.TrimSpace(resultsBegin), strings.TrimSpace(resultsEnd))
	}
	return os.WriteFile(path, []byte(before+resultsBegin+"\n"+r.markdown()+"\n"+resultsEnd+after), 0o644)
}

// markdown is the report as the page shows it.
func (r *report) markdown() string {
	var out strings.Builder
	for _, fact := range r.machine {
		fmt.Fprintf(&out, "- %s\n", fact)
	}
	fmt.Fprintf(&out, "- medians; in brackets the number of runs, the least and the greatest; steps are interleaved; load after the run: %s\n", load())
	fmt.Fprint(&out, "\n| figure | target | here | met |\n|---|---|---|---|\n")
	for _, t := range r.targets {
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", cell(t.what), cell(t.want), cell(t.got), t.word())
	}
	for _, t := range r.tables {
		fmt.Fprintf(&out, "\n%s:\n\n| step | wall | CPU | peak RSS | result |\n|---|---|---|---|---|\n", t.title)
		for _, row := range t.rows {
			m := row.middle()
			fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", cell(row.name), row.wall(), seconds(m.cpu), mebibytes(m.rss), megabytes(row.size))
		}
	}

	for _, note := range r.notes {
		fmt.Fprintf(&out, "\n%s\n", note)
	}
	return out.String()
}

// cell is text that does not end its cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(text)
}
