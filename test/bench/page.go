package main

import (
	"fmt"
	"os"
	"strings"
)

// What stands between the first two lines of the page is written by this program; the rest of it is written by people.
// The last two begin the figures of all groups, and what was measured of one.
const (
	resultsBegin = "<!-- results: written by make bench -->\n"
	resultsEnd   = "<!-- end of results -->\n"
	figuresHead  = "| figure | target | here | met | measured | group |\n|---|---|---|---|---|---|\n"
	groupBegin   = "<!-- group "
	groupEnd     = " -->\n"
)

// results are those of a page: of each group its figures, which are lines of one table, and its tables. Of what is not
// measured now they stay as they were, with the date of then.
type results struct {
	figures map[string][]string
	tables  map[string]string
}

// keep replaces what the page says of the section's group.
func (r *section) keep(path string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(page), resultsBegin)
	old, after, ends := strings.Cut(rest, resultsEnd)
	if !begins || !ends {
		return fmt.Errorf("%s has no place for the results: a line %q and a line %q", path, strings.TrimSpace(resultsBegin), strings.TrimSpace(resultsEnd))
	}
	all := parseResults(old)
	all.figures[r.name], all.tables[r.name] = r.figures(), r.markdown()
	return os.WriteFile(path, []byte(before+resultsBegin+all.markdown()+resultsEnd+after), 0o644)
}

func parseResults(text string) results {
	all := results{figures: map[string][]string{}, tables: map[string]string{}}
	head, rest, _ := strings.Cut(text, groupBegin)
	_, rows, _ := strings.Cut(head, figuresHead)
	for row := range strings.Lines(rows) {
		if cells := strings.Split(strings.TrimRight(row, " |\n"), " | "); strings.HasPrefix(row, "| ") {
			name := strings.Trim(cells[len(cells)-1], "` ")
			all.figures[name] = append(all.figures[name], row)
		}
	}

	for part := range strings.SplitSeq(rest, groupBegin) {
		if name, tables, found := strings.Cut(part, groupEnd); found {
			all.tables[name] = tables
		}
	}

	return all
}

func (all results) markdown() string {
	var figures, tables strings.Builder
	met, many := 0, 0
	for _, g := range groups() {
		for _, row := range all.figures[g.name] {
			figures.WriteString(row)
			many++
			if strings.Contains(row, " | yes | ") {
				met++
			}
		}

		if all.tables[g.name] != "" {
			tables.WriteString(groupBegin + g.name + groupEnd + all.tables[g.name])
		}
	}

	return fmt.Sprintf("\n%d of %d targets are met.\n\n%s%s\n%s", met, many, figuresHead, figures.String(), tables.String())
}

// figures are the section's lines in the table of all.
func (r *section) figures() []string {
	var rows []string
	for _, t := range r.targets {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s | `%s` |\n", cell(t.what), cell(t.want), cell(t.got), t.word(), r.began.Format(stamp), r.name))
	}
	return rows
}

// markdown is what the page says of the group beside its figures.
func (r *section) markdown() string {
	var out strings.Builder
	fmt.Fprintf(&out, "### %s\n\n%s\n", r.title, r.when())
	for _, t := range r.tables {
		fmt.Fprintf(&out, "\n%s:\n\n| step | wall | CPU | peak RSS | result |\n|---|---|---|---|---|\n", t.title)
		for _, row := range t.rows {
			fmt.Fprintf(&out, "| %s |\n", cell(strings.Join(row.cells(), "\x00")))
		}
	}

	for _, note := range r.notes {
		fmt.Fprintf(&out, "\n%s\n", note)
	}
	return out.String() + "\n"
}

// cell is text that does not end its cell; NUL does.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\x00", " | ", "<", "&lt;", ">", "&gt;").Replace(text)
}
