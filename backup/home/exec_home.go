package home

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// execHomeLimit is how long a sandbox may take to tell its home.
const execHomeLimit = 30 * time.Second

// commandLimit bounds what is read of a command line.
const commandLimit = 64 << 10

// FindExecHome is the home of a sandbox that has no container on this host. The supervisor is process 1 in it before
// 0.1.0, and everybody in the sandbox may read with which --workdir it runs (docs/facts/openshell-0.1.md 1.1). Where
// process 1 is another, the sandbox shows where a command starts in it. An error says that what it shows contradicts
// itself; a sandbox that says nothing has /sandbox.
func FindExecHome(ctx context.Context, cli Execer, sb sandbox.Sandbox) (string, error) {
	if other := AgentHome(AgentOf(sb)); other != sandbox.DefaultHome {
		return other, nil
	}
	told, ok := tells(ctx, cli, sb, "cat", "/proc/1/cmdline")
	evidence := sandbox.HomeEvidence{Pair: true, Command: strings.Split(strings.TrimSuffix(told, "\x00"), "\x00")}
	if ok && evidence.Tells() {
		return sandbox.Home(evidence)
	}
	told, ok = tells(ctx, cli, sb, "sh", "-c", startScript)
	if !ok {
		return sandbox.DefaultHome, nil // whoever reads the home says why it cannot be reached
	}
	return startFolder(told)
}

// startScript prints where a command starts (nothing for /sandbox), what its HOME is, and what there is of /sandbox:
// "mounted", "there" or nothing.
const startScript = `if [ . -ef /sandbox ]; then echo; else pwd; fi; echo "$HOME"; if grep -q " /sandbox " /proc/mounts; then echo mounted; elif [ -d /sandbox ]; then echo there; fi`

// startFolder is the home by what startScript printed. The supervisor starts every command in the agent's workspace
// root; only the docker driver has one besides /sandbox, and makes it HOME. The others mount a volume at /sandbox,
// whatever the image's WORKDIR is.
func startFolder(printed string) (string, error) {
	line := strings.Split(printed, "\n")
	if len(line) < 3 {
		return sandbox.DefaultHome, nil
	}
	start, home, standard := line[0], line[1], line[2]
	dir, err := sandbox.Home(sandbox.HomeEvidence{ImageWorkdir: start})
	if err != nil || dir == sandbox.DefaultHome || standard == "mounted" {
		return sandbox.DefaultHome, err
	}
	if standard == "there" && path.Clean(home) != dir {
		return "", fmt.Errorf("its home is not known from inside: commands start in %q, HOME is %q, and there is a %s; "+
			"run sandkeeper on the host of its container engine", dir, home, sandbox.DefaultHome)
	}
	return dir, nil
}

// tells is what a command prints in a sandbox that carries it out.
func tells(ctx context.Context, cli Execer, sb sandbox.Sandbox, argv ...string) (string, bool) {
	var told bytes.Buffer
	result, err := cli.Exec(ctx, openshell.ExecRequest{
		Gateway: sb.Gateway, Workspace: sb.Workspace, Name: sb.Name, Argv: argv, Stdout: &told, Timeout: execHomeLimit,
	})
	return told.String(), err == nil && result.Exit == 0 && told.Len() <= commandLimit
}
