package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// report is everything that was found out, in the order in which it is shown.
type report struct {
	machine      []string
	rounds, part int
	tables       []table
	targets      []target
	notes        []string
}

// table is one group of steps, measured in the same rounds.
type table struct {
	title string
	rows  []row
}

type row struct {
	name string
	took []sample
	size int64 // of what it wrote; 0 where that means nothing
}

// target is one figure that docs/design.md 9 asks for.
type target struct {
	what, want, got string
	met             bool
}

// lacks says what this machine could not measure. It is printed loudly at the end.
func (r *report) lacks(what, why string) {
	r.notes = append(r.notes, fmt.Sprintf("SKIPPED: this machine lacks %s (%s)", what, why))
}

func (r *report) aim(what, want string, met bool, got string, args ...any) {
	r.targets = append(r.targets, target{what: what, want: want, got: fmt.Sprintf(got, args...), met: met})
}

// table adds the steps that were measured, in the given order.
func (r *report) table(title string, samples map[string][]sample, sizes map[string]int64, names ...string) {
	t := table{title: title}
	for _, name := range names {
		if took := samples[name]; len(took) > 0 {
			t.rows = append(t.rows, row{name, took, sizes[name]})
		}
	}

	r.tables = append(r.tables, t)
}

// print writes the report for people at a terminal.
func (r *report) print(out io.Writer) {
	for _, fact := range r.machine {
		fmt.Fprintln(out, fact)
	}
	for _, t := range r.tables {
		fmt.Fprintf(out, "\n%s\n", t.title)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "STEP\tWALL (RUNS: MIN-MAX)\tCPU\tPEAK RSS\tRESULT")
		for _, row := range t.rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", row.name, row.wall(), seconds(row.middle().cpu), mebibytes(row.middle().rss), megabytes(row.size))
		}
		_ = w.Flush() // a failed write to the terminal has nobody to be told
	}

	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tTARGET\tHERE\tMET")
	for _, t := range r.targets {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.what, t.want, t.got, t.word())
	}
	_ = w.Flush()
	for _, note := range r.notes {
		fmt.Fprintln(out, note)
	}
}

func (t target) word() string {
	if t.met {
		return "yes"
	}
	return "NO"
}

func (r row) middle() sample { return median(r.took) }

// wall is the median of so many runs with the least and the greatest.
func (r row) wall() string {
	least, most := r.took[0].wall, r.took[0].wall
	for _, s := range r.took {
		least, most = min(least, s.wall), max(most, s.wall)
	}
	return fmt.Sprintf("%s (%d: %s-%s)", seconds(r.middle().wall), len(r.took), seconds(least), seconds(most))
}

func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

func megabytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
