package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// step is one thing that is measured, as a whole process with its children.
type step struct {
	name   string
	argv   []string
	env    []string                    // nil: the benchmark's own
	exits  []int                       // exit statuses that are as they should be; none: 0
	before func(context.Context) error // not measured
	after  func(context.Context) error // not measured
}

// sample is what one run of a step took. RSS is that of its largest process.
type sample struct {
	wall, cpu time.Duration
	rss       int64
}

// shell makes a step of a pipeline. It fails when any part of the pipeline does.
func shell(name, script string) step {
	return step{name: name, argv: []string{"bash", "-c", "set -eo pipefail; " + script}}
}

// rounds runs every step once per round, in order, and gives the samples of each by its name. No round begins after
// enough.
func rounds(ctx context.Context, n int, enough time.Duration, steps []step, say func(string)) (map[string][]sample, error) {
	samples, began := map[string][]sample{}, time.Now()
	for round := range n {
		if round > 0 && time.Since(began) > enough {
			say(fmt.Sprintf("no time is left for round %d", round+1))
			break
		}
		for _, s := range steps {
			taken, err := s.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			say(fmt.Sprintf("round %d: %s %s", round+1, s.name, taken.wall.Round(time.Millisecond)))
			samples[s.name] = append(samples[s.name], taken)
		}
	}
	return samples, nil
}

func (s step) run(ctx context.Context) (sample, error) {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return sample{}, err
		}
	}

	var said bytes.Buffer
	child := exec.CommandContext(ctx, s.argv[0], s.argv[1:]...)
	child.Env, child.Stdout, child.Stderr = s.env, &said, &said
	start := time.Now()
	err := child.Run()
	wall := time.Since(start)
	if child.ProcessState == nil {
		return sample{}, err
	}
	if !s.expected(child.ProcessState.ExitCode()) {
		return sample{}, fmt.Errorf("%q: %s\n%s", s.argv, child.ProcessState, said.String())
	}
	taken := sample{wall: wall, cpu: child.ProcessState.UserTime() + child.ProcessState.SystemTime()}
	if usage, ok := child.ProcessState.SysUsage().(*syscall.Rusage); ok {
		taken.rss = int64(usage.Maxrss) << 10 // getrusage(2): kilobytes
	}
	if s.after != nil {
		return taken, s.after(ctx)
	}
	return taken, nil
}

func (s step) expected(exit int) bool {
	return exit == 0 && len(s.exits) == 0 || slices.Contains(s.exits, exit)
}

// median takes each figure's own median.
func median(of []sample) sample {
	middle := func(figure func(sample) int64) int64 {
		var all []int64
		for _, s := range of {
			all = append(all, figure(s))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	if len(of) == 0 {
		return sample{}
	}
	return sample{
		wall: time.Duration(middle(func(s sample) int64 { return int64(s.wall) })),
		cpu:  time.Duration(middle(func(s sample) int64 { return int64(s.cpu) })),
		rss:  middle(func(s sample) int64 { return s.rss }),
	}
}

// fastest is the run that the rest of the machine disturbed least.
func fastest(of []sample) time.Duration {
	return slices.MinFunc(of, func(a, b sample) int { return int(a.wall - b.wall) }).wall
}
