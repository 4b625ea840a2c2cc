package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
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
	read   func(stdout []byte) error   // takes what was said; not measured
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

// unmeasured runs steps that the measured ones need, in order.
func unmeasured(ctx context.Context, steps ...step) error {
	for _, s := range steps {
		if _, err := s.run(ctx); err != nil {
			return fmt.Errorf("before anything is measured: %s: %w", s.name, err)
		}
	}
	return nil
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

	taken, said, err := s.launch(ctx)
	if err != nil {
		return sample{}, err
	}
	if s.read != nil {
		if err := s.read(said); err != nil {
			return sample{}, err
		}
	}
	if s.after != nil {
		return taken, s.after(ctx)
	}
	return taken, nil
}

// launch runs the step from a process that has done nothing else: the kernel counts what the one that starts another
// has in memory to the other's peak, and this one has grown.
func (s step) launch(ctx context.Context) (sample, []byte, error) {
	own, err := os.Executable()
	if err != nil {
		return sample{}, nil, err
	}
	result, write, err := os.Pipe()
	if err != nil {
		return sample{}, nil, err
	}
	defer result.Close()
	var said, complaints bytes.Buffer
	child := exec.CommandContext(ctx, own, append([]string{runCommand}, s.argv...)...)
	child.Env, child.Stdout, child.Stderr, child.ExtraFiles = s.env, &said, &complaints, []*os.File{write}
	child.SysProcAttr, child.WaitDelay = &syscall.SysProcAttr{Setpgid: true}, 30*time.Second
	child.Cancel = func() error { return syscall.Kill(-child.Process.Pid, syscall.SIGTERM) } // the command too
	if err := errors.Join(child.Start(), write.Close()); err != nil {
		return sample{}, nil, err
	}
	var seen launched
	err = errors.Join(json.NewDecoder(result).Decode(&seen), child.Wait())
	switch {
	case err != nil:
		return sample{}, nil, fmt.Errorf("%q: %w\n%s%s", s.argv, err, said.String(), complaints.String())
	case !s.expected(seen.Exit):
		return sample{}, nil, fmt.Errorf("%q: exit status %d\n%s%s", s.argv, seen.Exit, said.String(), complaints.String())
	}
	return sample{wall: seen.Wall, cpu: seen.CPU, rss: seen.RSS}, said.Bytes(), nil
}

// runCommand is this program's own: run a command, and write what was seen of it to descriptor 3.
const runCommand = "run"

// launched is what was seen of a command.
type launched struct {
	Wall, CPU time.Duration
	RSS       int64
	Exit      int
}

// launchHere is the other side of launch.
func launchHere(argv []string) error {
	child := exec.Command(argv[0], argv[1:]...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	began := time.Now()
	err := child.Run()
	seen := launched{Wall: time.Since(began)}
	if child.ProcessState == nil {
		return err
	}
	seen.CPU, seen.Exit = child.ProcessState.UserTime()+child.ProcessState.SystemTime(), child.ProcessState.ExitCode()
	if usage, ok := child.ProcessState.SysUsage().(*syscall.Rusage); ok {
		seen.RSS = int64(usage.Maxrss) << 10 // getrusage(2): kilobytes
	}
	return json.NewEncoder(os.NewFile(3, "result")).Encode(seen)
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
