package home

import (
	"bytes"
	"context"
	"strings"
	"time"

	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// execHomeLimit is how long a sandbox may take to tell its home.
const execHomeLimit = 30 * time.Second

// commandLimit bounds what is read of a command line.
const commandLimit = 64 << 10

// FindExecHome is the home of a sandbox that has no container on this host. The supervisor is process 1 in it before 0.1.0, and everybody
// in the sandbox may read with which --workdir it runs (docs/facts/openshell-0.1.md 1.1). Where process 1 is another, or says nothing, it
// is /sandbox: only the docker driver, whose containers are looked at from outside, gives a sandbox another one.
func FindExecHome(ctx context.Context, cli Execer, sb sandbox.Sandbox) (string, error) {
	if other := AgentHome(AgentOf(sb)); other != sandbox.DefaultHome {
		return other, nil
	}
	var told bytes.Buffer
	result, err := cli.Exec(ctx, openshell.ExecRequest{
		Gateway: sb.Gateway, Workspace: sb.Workspace, Name: sb.Name, Argv: []string{"cat", "/proc/1/cmdline"}, Stdout: &told, Timeout: execHomeLimit,
	})
	if err != nil || result.Exit != 0 || told.Len() > commandLimit {
		return sandbox.DefaultHome, nil // whoever reads the home says why it cannot be reached
	}
	command := strings.Split(strings.TrimSuffix(told.String(), "\x00"), "\x00")
	return sandbox.Home(sandbox.HomeEvidence{Command: command, Pair: true})
}
