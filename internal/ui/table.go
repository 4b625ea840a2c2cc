package ui

import (
	"io"
	"strings"
	"text/tabwriter"
)

// Table collects rows and prints them in aligned columns, without boxes. Cells are cleaned when they are added. A
// painter may colour a finished line: colour codes must not count as width.
type Table struct {
	// Width is how many columns the reader's terminal has; longer lines are continued below the last column. 0 leaves
	// them as they are, which is what a pipe wants.
	Width int

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
		if row := t.rows[i]; len(row) > 1 {
			line = t.fold(line, row[len(row)-1])
		}
		if paint != nil {
			line = paint(t.rows[i][0], line)
		}
		_, _ = io.WriteString(w, line+"\n")
	}
}

// foldLeast is how many columns the last cell must have to be continued below itself; with fewer, or with fewer than
// its longest word has, it begins on a line of its own.
const foldLeast = 24

// fold breaks a line that is wider than the terminal within its last cell, between words.
func (t *Table) fold(line, last string) string {
	wide := len([]rune(line))
	if t.Width <= 0 || wide <= t.Width || last == "" {
		return line
	}
	indent := wide - len([]rune(last))
	before, cell := strings.TrimRight(string([]rune(line)[:indent]), " "), last
	var b strings.Builder
	b.WriteString(before)
	if t.Width-indent < max(foldLeast, longestWord(cell)) {
		indent = 6
		b.WriteString("\n" + strings.Repeat(" ", indent))
	} else {
		b.WriteString(strings.Repeat(" ", indent-len([]rune(before))))
	}

	column := indent
	for i, word := range strings.Fields(cell) {
		length := len([]rune(word))
		switch {
		case i > 0 && column+1+length > t.Width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		case i > 0:
			b.WriteString(" ")
			column++
		}

		b.WriteString(word)
		column += length
	}

	return b.String()
}

func longestWord(text string) int {
	longest := 0
	for _, word := range strings.Fields(text) {
		longest = max(longest, len([]rune(word)))
	}
	return longest
}
