package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// shell gives the person at the terminal a shell on the made-up host, with the program on its PATH. The host is there
// until it ends.
func (d *demo) shell(ctx context.Context) error {
	if len(d.only) > 0 {
		return errors.New("commands in this shell would see the other sandboxes of this engine too: DOCKER_HOST can name another engine")
	}
	env, err := d.Environment()
	if err != nil {
		return err
	}
	d.say("A shell on a made-up host: two agents work in their sandboxes, behind an OpenShell gateway. Nothing outside it is touched.\n" +
		"`exit` leaves it, and everything is removed.")
	for i, each := range env {
		if path, found := strings.CutPrefix(each, "PATH="); found {
			env[i] = "PATH=" + filepath.Dir(d.program) + ":" + path
		}
	}

	env = append(env, "SANDKEEPER_ENGINES="+d.engine) // what other engines of this machine run is not of the made-up host
	for _, name := range []string{"TERM", "DOCKER_HOST", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "USER", "PS1"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}

	child := exec.CommandContext(ctx, cmp.Or(os.Getenv("SHELL"), "/bin/sh"))
	child.Env, child.Dir = env, d.Home
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = child.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		return nil // how the last command in it ended is nobody's fault
	}
	return err
}
