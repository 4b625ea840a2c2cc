// Command bench measures sandkeeper beside the tools that people would use instead, on one data set, in one run: the
// figures of docs/design.md 9. It prints a table, says which targets are met, and keeps the result in
// docs/benchmarks.md. It never fails because something was slow.
//
// Every step of a round runs once before any step runs twice, so that a busy moment of the machine meets them all
// alike; medians of the rounds are compared with each other, never with figures of another day.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; medians are shown")
	flag.DurationVar(&o.enough, "enough", 15*time.Minute, "begin no further round of a group of steps after this time")
	flag.IntVar(&o.part, "part", 1, "use only so much of the data set: 20 is a twentieth, for trying out")
	flag.BoolVar(&o.onlyDay, "day", false, "measure only a day later and ten days; the page stays as it is")
	flag.StringVar(&o.page, "page", "docs/benchmarks.md", "page whose results are replaced; \"\" for none")
	flag.StringVar(&o.temp, "temp", "", "folder for the data, about 6 GB (default: the system's)")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	rounds, part int
	enough       time.Duration
	page, temp   string
	onlyDay      bool
}

func run(ctx context.Context, o options) (err error) {
	if o.rounds < 1 || o.part < 1 {
		return errors.New("-rounds and -part are 1 or more")
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r := report{machine: machineFacts(ctx), rounds: o.rounds, part: o.part}
	groups := []func(context.Context, *report) error{b.preflight, b.check, b.backups, b.size}
	if o.onlyDay {
		groups = []func(context.Context, *report) error{b.backups}
	}
	for _, measure := range groups {
		if err := measure(ctx, &r); err != nil {
			return err
		}
	}

	r.print(os.Stdout)
	if o.page == "" || o.part > 1 || o.onlyDay {
		fmt.Println("(a trial: no page was changed)")
		return nil
	}
	return r.keep(o.page)
}
