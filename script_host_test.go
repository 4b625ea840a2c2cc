package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/journal"
)

type daemonKey struct{}

// setUpHost gives a script a home, a fake Docker daemon and a stand-in openshell that reads $WORK/openshell.json.
func setUpHost(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	// A folder of its own: a script's work folder can have a longer path than a socket's address may.
	dir, err := os.MkdirTemp("", "sk")
	if err != nil {
		return err
	}
	daemon, err := dockertest.New(dir)
	if err != nil {
		return err
	}
	e.Defer(func() {
		_ = daemon.Close()
		_ = os.RemoveAll(dir)
	})
	e.Values[daemonKey{}] = daemon
	spaced := filepath.Join(dir, "my docker.sock")
	if err := os.Symlink(daemon.Socket, spaced); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"HOME": home, "DOCKER_HOST": daemon.Host(), "SANDKEEPER_ENGINES": daemon.Host(), "OPENSHELL_STANDIN": filepath.Join(e.WorkDir, "openshell.json"),
		"SPACED_HOST": "unix://" + spaced, "BACKUPS": filepath.Join(home, ".local/share/sandkeeper/backups"),
	} {
		e.Setenv(name, value)
	}
	return nil
}

// dockerCommand is `docker VERB …` in a script:
//
//	docker sandbox NAME STATE [KEY=VALUE…]     a labelled container whose home holds notes.md; id=, container=, image=, file=, home=,
//	                                           role=, supervisor= is its version, workdir= of its image, command= of its main process, parts parted by commas; workspace=, endpoint=
//	docker cluster NAME STATE IMAGE PORT       a cluster container with the port published
//	docker image REF ID                        what a reference names from now on
//	docker state CONTAINER STATE               asserts a container's state
//	[!] docker called TEXT                     asserts that a call was (not) made
//	docker break TEXT                          calls that contain TEXT fail from now on
//	docker slow CALL DURATION                  calls that begin with CALL are answered so much later from now on
//	docker await CONTAINER STATE               waits until the container is so
//	docker left-paused CONTAINER [KEY=VALUE…]  a record of a pause whose run is dead; engine=, host=
//	docker become ID                           another daemon, without containers, answers at the address from now on
//	docker gone CONTAINER                      removes it, as another program would
//	docker down                                the daemon goes away
func dockerCommand(ts *testscript.TestScript, neg bool, args []string) {
	daemon := ts.Value(daemonKey{}).(*dockertest.Daemon)
	switch verb, args := args[0], args[1:]; verb {
	case "sandbox":
		daemon.Add(sandboxContainer(args))
	case "cluster":
		daemon.Add(dockertest.Container{Name: args[0], State: args[1], Image: args[2], Ports: map[string][]string{"30051/tcp": {args[3]}}})
	case "state":
		container, found := daemon.Get(args[0])
		if !found || container.State != args[1] {
			ts.Fatalf("container %s: found %v, state %q, want %q", args[0], found, container.State, args[1])
		}
	case "image":
		daemon.AddImage(args[0], args[1])
	case "called":
		called := slices.ContainsFunc(daemon.Calls(), func(call string) bool { return strings.Contains(call, args[0]) })
		if called == neg {
			ts.Fatalf("a call with %q was made: %v\n%s", args[0], called, strings.Join(daemon.Calls(), "\n"))
		}
	case "break":
		daemon.Break(dockertest.Fault{Call: args[0], Status: 500})
	case "slow":
		delay, err := time.ParseDuration(args[1])
		ts.Check(err)
		daemon.Break(dockertest.Fault{Call: args[0], Delay: delay})
	case "await":
		await(ts, daemon, args[0], args[1])
	case "left-paused":
		leavePaused(ts, daemon, args)
	case "become":
		daemon.Become(args[0])
	case "gone":
		daemon.Drop(args[0])
	case "down":
		ts.Check(daemon.Close())
	default:
		ts.Fatalf("unknown verb: docker %s", verb)
	}
}

func await(ts *testscript.TestScript, daemon *dockertest.Daemon, name, state string) {
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if c, found := daemon.Get(name); found && c.State == state {
			return
		}
	}
	ts.Fatalf("container %s is never %s", name, state)
}

// leavePaused puts down what a run leaves that is killed, with its guard, while it pauses a container.
func leavePaused(ts *testscript.TestScript, daemon *dockertest.Daemon, args []string) {
	c, found := daemon.Get(args[0])
	if !found {
		ts.Fatalf("no container %s", args[0])
	}
	record := journal.Pause{Container: c.ID, Created: c.Created, Name: c.Name, Engine: daemon.Identity(), Host: daemon.Host(), At: time.Now().UTC()}
	for _, arg := range args[1:] {
		switch key, value, _ := strings.Cut(arg, "="); key {
		case "engine":
			record.Engine = value
		case "host":
			record.Host = value
		}
	}
	shelf := journal.Pauses(journal.PausedDir(filepath.Join(ts.Getenv("HOME"), ".local/state")))
	owner, err := shelf.Own(context.Background(), c.ID)
	ts.Check(err)
	ts.Check(errors.Join(owner.Put(record), owner.Close()))
}

func sandboxContainer(args []string) dockertest.Container {
	options := map[string]string{
		"id": "id-" + args[0], "container": "openshell-" + args[0], "image": "sandbox:1", "file": "notes.md", "home": "/sandbox",
	}
	for _, arg := range args[2:] {
		key, value, _ := strings.Cut(arg, "=")
		options[key] = value
	}
	c := dockertest.Container{
		Name: options["container"], State: args[1], Image: options["image"], Workdir: options["workdir"],
		Labels: map[string]string{
			"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-name": args[0],
			"openshell.ai/sandbox-id": options["id"], "openshell.ai/sandbox-namespace": "default",
		},
		Files: []dockertest.File{
			{Path: options["home"], Type: '5', Mode: 0o755, UID: 998, GID: 998},
			{Path: options["home"] + "/" + options["file"], Data: fmt.Appendf(nil, "memory of %s\n", args[0]), Mode: 0o640, UID: 998, GID: 998},
			{Path: options["home"] + "/link", Type: '2', Link: "/etc/passwd"},
		},
	}
	if options["command"] != "" {
		c.Command = strings.Split(options["command"], ",")
	}
	if options["endpoint"] != "" {
		c.Env = []string{"OPENSHELL_ENDPOINT=" + options["endpoint"]}
	}
	if options["workspace"] != "" {
		c.Labels["openshell.ai/sandbox-workspace"] = options["workspace"]
	}
	if options["supervisor"] != "" {
		c.Exec = func([]string) (string, string, int) {
			return "openshell-sandbox " + options["supervisor"] + "\n", "", 0
		}
	}
	if options["role"] != "" {
		c.Labels["openshell.ai/isolation-role"] = options["role"]
	}
	return c
}
