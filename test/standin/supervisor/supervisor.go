// Package supervisor is a stand-in for openshell-sandbox, the main process of a sandbox's container. It refuses what
// the real one refuses, in its words, prepares the agent's home, and runs the agent's main process as the agent's user.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"sandkeeper/test/e2e/gateway"
)

// Supervisor is one run.
type Supervisor struct {
	Root           string // the container's file system, "/" in a container
	Workdir        string // of the agent, which is its home
	Environment    map[string]string
	Stdout, Stderr io.Writer
}

// exitWhenStopped is that of the real one, seen in a stopped container.
const exitWhenStopped = 128 + int(syscall.SIGTERM)

// Run supervises until ctx ends or the agent's main process does, and answers the exit status. What is wrong with the
// sandbox ends it at once, which makes its engine restart it again and again.
func (s Supervisor) Run(ctx context.Context) int {
	agent, err := s.identity()
	if err == nil {
		err = s.prepareHome(agent)
	}
	if err != nil {
		fmt.Fprintf(s.Stderr, "Error:   × %v\n", err)
		return 1
	}
	words := strings.Fields(s.Environment["OPENSHELL_SANDBOX_COMMAND"])
	if len(words) == 0 {
		fmt.Fprintln(s.Stderr, "Error:   × OPENSHELL_SANDBOX_COMMAND is required")
		return 1
	}
	main := exec.Command(words[0], words[1:]...)
	main.Dir, main.Stdout, main.Stderr = filepath.Join(s.Root, s.Workdir), s.Stdout, s.Stderr
	main.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: agent.uid, Gid: agent.gid}}
	if os.Geteuid() != 0 { // a test, which is whoever it is
		main.SysProcAttr = nil
	}
	if err := main.Start(); err != nil {
		fmt.Fprintf(s.Stderr, "Error:   × failed to start %q: %v\n", words[0], err)
		return 1
	}
	fmt.Fprintln(s.Stdout, gateway.Connected)
	defer context.AfterFunc(ctx, func() { _ = main.Process.Signal(syscall.SIGTERM) })()
	err = main.Wait()
	if ctx.Err() != nil {
		return exitWhenStopped
	}
	if exited, ok := errors.AsType[*exec.ExitError](err); ok {
		return exited.ExitCode()
	}
	return 0
}
