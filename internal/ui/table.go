package ui

import (
	"io"
	"strings"
	"text/tabwriter"
)

// Table collects rows and prints them in aligned columns, without boxes. Cells are cleaned when they are added. A painter may
// colour a finished line: colour codes must not count as width.
type Table struct {
	rows [][]string
}

// Row adds one row.
func (t *Table) Row(cells ...string) {
	clean := make([]string, len(cells))
	for i, cell := range cells {
		clean[i] = Clean(cell)
	}
	t.rows = append(t.rows, clean)
}

// Len is the number of rows, a heading included.
func (t *Table) Len() int { return len(t.rows) }

// Print writes the table with two spaces of indent; paint, when not nil, gets the first cell and the aligned line.
func (t *Table) Print(w io.Writer, paint func(first, line string) string) {
	if len(t.rows) == 0 {
		return
	}
	var aligned strings.Builder
	tw := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		_, _ = io.WriteString(tw, "  "+strings.Join(row, "\t")+"\n")
	}
	_ = tw.Flush()
	for i, line := range strings.Split(strings.TrimSuffix(aligned.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		if paint != nil && i < len(t.rows) {
			line = paint(t.rows[i][0], line)
		}
		_, _ = io.WriteString(w, line+"\n")
	}
}
