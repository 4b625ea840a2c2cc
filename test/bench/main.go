// Command bench measures sandkeeper beside the tools that people would use instead, on one data set, in one run: the
// figures of docs/design.md 9. It prints tables, says which targets are met, and keeps the result in
// docs/benchmarks.md, where what was not measured in this run keeps its old date. It never fails because something was
// slow.
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
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	rounds, part   int
	enough, within time.Duration
	page, temp     string
	only           string
}

func start(ctx context.Context, args []string) error {
	if len(args) == 3 && args[0] == putCommand {
		return put(ctx, args[1], args[2])
	}
	if len(args) > 1 && args[0] == runCommand {
		return launchHere(args[1:])
	}
	var o options
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.IntVar(&o.rounds, "rounds", 3, "rounds; medians are shown")
	flags.DurationVar(&o.enough, "enough", 5*time.Minute, "begin no further round of a group after this time")
	flags.DurationVar(&o.within, "within", 0, "begin no further group that would not end within this time; 0: no limit")
	flags.IntVar(&o.part, "part", 1, "use only so much of the data: 20 is a twentieth, for trying out")
	flags.StringVar(&o.only, "only", "", "the groups to measure, with commas between; \"\" for all: "+groupNames())
	flags.StringVar(&o.page, "page", "docs/benchmarks.md", "page whose results are replaced; \"\" for none")
	flags.StringVar(&o.temp, "temp", "", "folder for the data, about 10 GB (default: the system's)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return run(ctx, o)
}

func run(ctx context.Context, o options) (err error) {
	if o.rounds < 1 || o.part < 1 {
		return errors.New("-rounds and -part are 1 or more")
	}
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	return b.measure(ctx, chosen)
}

// measure takes the groups one after the other. Each one is kept as soon as it is measured, so that an interruption
// costs only one. A group that fails does not keep the others from being measured.
func (b *bench) measure(ctx context.Context, chosen []group) error {
	var failures []error
	began := time.Now()
	for _, g := range chosen {
		if ctx.Err() != nil {
			return errors.Join(append(failures, context.Cause(ctx))...)
		}
		if late := time.Since(began) + g.takes; b.within > 0 && late > b.within {
			b.say(fmt.Sprintf("no time is left for %s, which takes about %s", g.name, g.takes))
			continue
		}
		if err := b.one(ctx, g); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", g.name, err))
		}
	}
	return errors.Join(failures...)
}

func (b *bench) one(ctx context.Context, g group) error {
	r := newSection(ctx, g)
	began := time.Now()
	if err := g.measure(b, ctx, r); err != nil {
		return err
	}
	r.loadAfter = load()
	r.print(os.Stdout)
	b.say(fmt.Sprintf("%s took %s", g.name, time.Since(began).Round(time.Second)))
	if b.page == "" || b.part > 1 {
		fmt.Println("(a trial: no page was changed)")
		return nil
	}
	return r.keep(b.page)
}

// group is what is measured in the same rounds, and has a place of its own on the page.
type group struct {
	name, title string
	takes       time.Duration // about, on two idle cores
	measure     func(*bench, context.Context, *section) error
}

// groups are in the order of their weight: where time ends, the last ones are left.
func groups() []group {
	return []group{
		{"first", "A first backup, and one more when nothing changed, on the direct way", 4 * time.Minute, (*bench).first},
		{"day", "A day later", 3 * time.Minute, (*bench).aDay},
		{"restore", "Restore into an empty and into a full home, on the direct way", 4 * time.Minute, (*bench).restore},
		{"many", "100,000 entries", 4 * time.Minute, (*bench).many},
		{"start", "Preflight that finds drift, and start-up", time.Minute, (*bench).preflight},
		{"check", "upgrade-sandboxes --check over many registered sandboxes", time.Minute, (*bench).check},
		{"s3", "To a bucket", 2 * time.Minute, (*bench).s3},
		{"engine", "The engine's way", 3 * time.Minute, (*bench).engine},
		{"ten", "Ten days", 4 * time.Minute, (*bench).tenDays},
		{"sparse", "A sparse file of 12 GiB", 3 * time.Minute, (*bench).sparse},
		{"million", "1,000,000 entries", 10 * time.Minute, (*bench).million},
	}
}

func groupNames() string {
	var names []string
	for _, g := range groups() {
		names = append(names, g.name)
	}
	return strings.Join(names, ", ")
}

// choose gives the groups that are named, in their own order; all for "".
func choose(only string) ([]group, error) {
	if only == "" {
		return groups(), nil
	}
	named := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		named[strings.TrimSpace(name)] = true
	}
	var chosen []group
	for _, g := range groups() {
		if named[g.name] {
			chosen = append(chosen, g)
			delete(named, g.name)
		}
	}
	for name := range named {
		return nil, fmt.Errorf("there is no group %q: the groups are %s", name, groupNames())
	}
	return chosen, nil
}
