package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// section is everything that was found out about one group.
type section struct {
	group
	machine    string
	began      time.Time
	loadBefore string
	loadAfter  string
	tables     []table
	targets    []target
	notes      []string
}

func newSection(ctx context.Context, g group) *section {
	return &section{group: g, machine: machineFacts(ctx), began: time.Now().UTC(), loadBefore: load()}
}

// table is what was measured in the same rounds.
type table struct {
	title string
	rows  []row
}

type row struct {
	name string
	took []sample // none: only its size means something
	size int64    // of what it wrote; 0 where that means nothing
}

// target is one figure that docs/design.md 9 asks for.
type target struct {
	what, want, got string
	met             bool
}

// lacks says what this machine could not measure. It is printed loudly at the end.
func (r *section) lacks(what, why string) {
	r.notes = append(r.notes, fmt.Sprintf("SKIPPED: this machine lacks %s (%s)", what, why))
}

func (r *section) aim(what, want string, met bool, got string, args ...any) {
	r.targets = append(r.targets, target{what: what, want: want, got: fmt.Sprintf(got, args...), met: met})
}

// table adds the steps that were measured, in the given order.
func (r *section) table(title string, samples map[string][]sample, sizes map[string]int64, names ...string) {
	t := table{title: title}
	for _, name := range names {
		if took := samples[name]; len(took) > 0 || sizes[name] > 0 {
			t.rows = append(t.rows, row{name, took, sizes[name]})
		}
	}

	r.tables = append(r.tables, t)
}

// when says when and on what the section was measured.
func (r *section) when() string {
	return fmt.Sprintf("Measured %s on %s; load %s before and %s after.", r.began.Format(stamp), r.machine, r.loadBefore, r.loadAfter)
}

// stamp is how the page writes a time.
const stamp = "2006-01-02 15:04 UTC"

// print writes the section for people at a terminal.
func (r *section) print(out io.Writer) {
	fmt.Fprintf(out, "\n%s\n%s\n", r.title, r.when())
	for _, t := range r.tables {
		fmt.Fprintf(out, "\n%s\n", t.title)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "STEP\tWALL (RUNS: MIN-MAX)\tCPU\tPEAK RSS\tRESULT")
		for _, row := range t.rows {
			fmt.Fprintln(w, strings.Join(row.cells(), "\t"))
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

// cells are what a table shows of the row.
func (r row) cells() []string {
	if len(r.took) == 0 {
		return []string{r.name, "", "", "", megabytes(r.size)}
	}
	m := median(r.took)
	return []string{r.name, r.wall(), seconds(m.cpu), mebibytes(m.rss), megabytes(r.size)}
}

// wall is the median of so many runs with the least and the greatest.
func (r row) wall() string {
	least, most := r.took[0].wall, r.took[0].wall
	for _, s := range r.took {
		least, most = min(least, s.wall), max(most, s.wall)
	}
	return fmt.Sprintf("%s (%d: %s-%s)", seconds(median(r.took).wall), len(r.took), seconds(least), seconds(most))
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
