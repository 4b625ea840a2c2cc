package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sandkeeper/test/standin"
)

// bench is the made-up host on which everything is measured: a throw-away folder, the built programs, and what to
// remove at the end.
type bench struct {
	options
	dir      string
	program  string
	programs standin.Programs
	remove   []func() error
	saving   *saving // made when a group first needs it
}

func newBench(ctx context.Context, o options) (*bench, error) {
	dir, err := os.MkdirTemp(o.temp, "sandkeeper-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir, program: filepath.Join(dir, "programs", "sandkeeper")}
	b.remove = append(b.remove, func() error { return os.RemoveAll(dir) })
	return b, errorsWith(b.build(ctx), b.close)
}

// errorsWith cleans up when err is one.
func errorsWith(err error, clean func() error) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, clean())
}

// build makes the program as `make build` does, puts it in place as an installation does, and makes the stand-ins for
// OpenShell's. How a file was written decides in which pieces Linux keeps it: what the linker has left starts a tenth
// later than a copy, and one that was written in a single piece counts 12 MiB more of memory.
func (b *bench) build(ctx context.Context) (err error) {
	b.say("building sandkeeper and the stand-ins for OpenShell's programs")
	if err := os.Mkdir(filepath.Dir(b.program), 0o700); err != nil {
		return err
	}
	linked := filepath.Join(b.dir, "linked")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "grpcnotrace", "-trimpath", "-ldflags", "-s -w", "-o", linked, "sandkeeper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	if out, err := exec.CommandContext(ctx, "install", linked, b.program).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	b.programs, err = standin.Build(ctx, filepath.Dir(b.program))
	return err
}

// close removes everything that was made, the last first.
func (b *bench) close() error {
	var failures []error
	for i := len(b.remove) - 1; i >= 0; i-- {
		failures = append(failures, b.remove[i]())
	}
	b.remove = nil
	return errors.Join(failures...)
}

func (b *bench) say(what string) { fmt.Fprintln(os.Stderr, "bench:", what) }

// host makes a NemoClaw host in a home of its own.
func (b *bench) host(name, version string) (*standin.Host, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	home := filepath.Join(b.dir, name)
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	return standin.NewHost(home, port, b.programs, version)
}

// sandkeeper is a step that runs the program with a given environment.
func (b *bench) sandkeeper(name string, env []string, args ...string) step {
	return step{name: name, argv: append([]string{b.program}, args...), env: append(env, "DOCKER_HOST="+os.Getenv("DOCKER_HOST"))}
}

// docker runs one docker command with the given input and gives its last line of output.
func docker(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "docker", args...)
	command.Stdin = stdin
	out, err := command.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return lines[len(lines)-1], nil
}

// installed reports whether a program can be found.
func installed(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
