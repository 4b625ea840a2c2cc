// Command demo shows sandkeeper's main job on a made-up host: a throw-away home with a stand-in openshell, a real
// gateway process, and two sandboxes, which are real containers when an engine is reachable and folders served through
// `openshell sandbox exec` otherwise. It needs Go, cleans up after itself, and fails when sandkeeper does not do what
// it should. Its argument is the program to show; `make demo` builds it. With --shell before it, it shows nothing and
// gives a shell on that host, to try commands in.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin"
	"sandkeeper/test/standin/openshell"
)

// The versions in the play: an old supervisor in one sandbox, and OpenShell before and after the upgrade.
const (
	old          = "0.0.105"
	before       = "0.0.110"
	after        = "0.0.116"
	agentVersion = "2026.5.27"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	act := func(d *demo, pid int) error { return d.show(ctx, pid) }
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--shell" {
		act, args = func(d *demo, _ int) error { return d.shell(ctx) }, args[1:]
	}
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: go run ./test/demo [--shell] bin/sandkeeper (make demo, make demo-shell)")
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout, args[0], act); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo is the made-up host and where the show goes.
type demo struct {
	*standin.Host
	out     io.Writer
	program string
	only    []string // names of the sandboxes, as --only flags, when the engine has other people's sandboxes too
	byName  bool     // the sandboxes are containers
	engine  string   // the address of their engine; where there is none, of no engine
}

// run makes the host, does act there with the id of the gateway's process, and removes everything.
func run(ctx context.Context, out io.Writer, program string, act func(d *demo, pid int) error) (err error) {
	home, err := emptyHome()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	d, err := prepare(ctx, out, home, program)
	if err != nil {
		return err
	}
	release, err := d.sandboxes(ctx)
	defer func() { err = errors.Join(err, release()) }()
	if err != nil {
		return err
	}
	gw, err := d.StartGateway(ctx)
	if err != nil {
		return err
	}
	defer func() {
		_ = gw.Process.Kill()
		_ = gw.Wait()
	}()
	if err := d.database(ctx); err != nil {
		return err
	}
	return act(d, gw.Process.Pid)
}

// emptyHome makes the home of the made-up host: a throw-away folder, or the one that SANDKEEPER_DEMO_HOME names and
// that is not there yet.
func emptyHome() (string, error) {
	if named := os.Getenv("SANDKEEPER_DEMO_HOME"); named != "" {
		return named, os.Mkdir(named, 0o700)
	}
	return os.MkdirTemp("", "sandkeeper-demo-")
}

// prepare builds the stand-ins and makes a host whose openshell and gateway agree.
func prepare(ctx context.Context, out io.Writer, home, program string) (*demo, error) {
	programs, err := standIns(ctx, filepath.Join(home, "programs"))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	host, err := standin.NewHost(home, port, programs, before)
	if err != nil {
		return nil, err
	}
	host.Script.Gateways[0].Live = true
	return &demo{Host: host, out: out, program: program, engine: "unix://" + filepath.Join(home, "no-engine.sock")}, host.InstallGateway(before)
}

// standIns builds the stand-ins into dir, or takes those that SANDKEEPER_DEMO_PROGRAMS names: where there is no Go, or
// no time.
func standIns(ctx context.Context, dir string) (standin.Programs, error) {
	if built := os.Getenv("SANDKEEPER_DEMO_PROGRAMS"); built != "" {
		return standin.Programs{Dir: built}, nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return standin.Programs{}, err
	}
	return standin.Build(ctx, dir, "openshell", "openshell-gateway", "sandbox-program")
}

func (d *demo) show(ctx context.Context, pid int) error {
	d.say("A made-up host: two agents work in their sandboxes, behind an OpenShell gateway. openshell is %s, and so is the gateway\n"+
		"(process %d). Tomorrow OpenShell will be upgraded. May this host be worked on?", before, pid)
	saved := filepath.Join(d.Home, ".local/share/sandkeeper/backups")
	steps := []func() error{
		func() error { return d.sandkeeper(ctx, []int{0}, "preflight") },
		func() error {
			d.say("It may. So save every sandbox first: deleted is gone, and an upgrade deletes.")
			return d.sandkeeper(ctx, []int{0}, d.among("backup-all")...)
		},
		func() error {
			d.say("A backup is a tar that any machine opens, also one without sandkeeper.")
			return d.listBackup(ctx, saved)
		},
		func() error {
			d.say("Which sandboxes are behind? A script asks for JSON (shortened here); exit status 4 says that there is something to do.")
			return d.sandkeeper(ctx, []int{0, 4}, d.among("upgrade-sandboxes", "--check", "--json")...)
		},
		func() error { return d.upgradeInPlace(pid) },
		func() error {
			d.say("From now on the gateway's answers decode wrongly, or not at all: running sandboxes look stopped, a backup skips them,\n" +
				"and the upgrade destroys them. sandkeeper asks such a gateway for nothing, changes nothing, and says what to do.")
			return d.sandkeeper(ctx, []int{1}, d.among("backup-all")...)
		},
	}
	if d.byName {
		steps = append(steps, func() error {
			d.say("The first step of that: the container engine is the only witness, neither the gateway nor openshell is asked.")
			return d.sandkeeper(ctx, []int{0}, d.among("backup-all", "--offline")...)
		})
	}

	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}

	d.say("Done. Everything that this demo made is being removed.")
	return nil
}

// upgradeInPlace is what an installer does that does not restart the gateway.
func (d *demo) upgradeInPlace(pid int) error {
	d.say("The next day an installer puts OpenShell %s on the host: openshell and the gateway's file are new, and\n"+
		"process %d still runs what it was started with. Nobody notices.", after, pid)
	d.Script.Version = after
	return d.InstallGateway(after)
}

// among adds what keeps other people's sandboxes on this engine out of the show.
func (d *demo) among(args ...string) []string { return append(args, d.only...) }

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "\n── %s\n", fmt.Sprintf(format, args...))
}

// sandkeeper runs a command on the made-up host, as the person at its terminal would see it.
func (d *demo) sandkeeper(ctx context.Context, expected []int, args ...string) error {
	env, err := d.Environment()
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n$ sandkeeper %s\n", strings.Join(args, " "))
	child := exec.CommandContext(ctx, d.program, args...)
	child.Env = append(env, "DOCKER_HOST="+os.Getenv("DOCKER_HOST"), "TERM="+os.Getenv("TERM"), "SANDKEEPER_COLOR="+os.Getenv("SANDKEEPER_COLOR"))
	if d.byName {
		child.Env = append(child.Env, "SANDKEEPER_ENGINES="+d.engine) // what other engines of this machine run is not of the made-up host
	}
	var document bytes.Buffer
	child.Stdout, child.Stderr = d.out, d.out
	if slices.Contains(args, "--json") {
		child.Stdout = &document
	}
	err = child.Run()
	if document.Len() > 0 {
		fmt.Fprint(d.out, shortened(document.Bytes()))
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return err
	}
	exit := child.ProcessState.ExitCode()
	fmt.Fprintf(d.out, "(exit status %d)\n", exit)
	if !slices.Contains(expected, exit) {
		return fmt.Errorf("sandkeeper %q exits %d, expected one of %v", args, exit, expected)
	}
	return nil
}

// rows are the sandboxes as the stand-in openshell lists them, with the agent that it runs in them.
func (d *demo) rows(ids map[string]string) error {
	agent, err := d.Programs.InSandbox(agentVersion)
	if err != nil {
		return err
	}
	for _, name := range names() {
		root := filepath.Join("sandboxes", name)
		path := filepath.Join(root, "usr/local/bin/openclaw")
		if err := d.Write(path, agent); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(d.Home, path), 0o700); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(d.Home, root, "sandbox"), 0o700); err != nil {
			return err
		}
		d.Script.Sandboxes = append(d.Script.Sandboxes, openshell.Sandbox{Name: name, ID: cmp.Or(ids[name], gateway.NewID()), Image: d.image(name), Root: filepath.Join(d.Home, root)})
	}
	return nil
}

// image is what a sandbox was made from.
func (d *demo) image(name string) string { return fmt.Sprintf("sandkeeper-demo-%d:%s", d.Port, name) }

func names() []string { return []string{"notes-bot", "reviewer"} }
