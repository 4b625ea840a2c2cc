package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"sandkeeper/test/e2e/gateway"
)

// Workload is the runtime of a 0.1.x workload: it runs the agent's main process as the bootstrap file says, until ctx
// ends or the process does, and answers the exit status.
func Workload(ctx context.Context, bootstrap string, stdout, stderr io.Writer) int {
	content, err := os.ReadFile(bootstrap)
	var told gateway.Bootstrap
	if err == nil {
		err = json.Unmarshal(content, &told)
	}
	if err == nil && len(told.Command) == 0 {
		err = errors.New("no command")
	}
	if err != nil {
		fmt.Fprintf(stderr, "Error:   × bootstrap: %v\n", err)
		return 1
	}
	main := exec.Command(told.Command[0], told.Command[1:]...)
	main.Dir, main.Stdout, main.Stderr = told.Workdir, stdout, stderr
	main.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + told.Workdir}
	for name, value := range told.Environment {
		main.Env = append(main.Env, name+"="+value)
	}
	if err := main.Start(); err != nil {
		fmt.Fprintf(stderr, "Error:   × failed to start %q: %v\n", told.Command[0], err)
		return 1
	}
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

// Companion is the supervisor of a 0.1.x workload. It needs the files that its gateway has staged, and lasts until ctx
// ends.
func Companion(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	for _, wanted := range []string{"--backend-descriptor-file", "--auth-bundle-file"} {
		if _, err := os.Stat(after(args, wanted)); err != nil {
			fmt.Fprintf(stderr, "Error:   × %s: %v\n", strings.TrimLeft(wanted, "-"), err)
			return 1
		}
	}

	fmt.Fprintln(stdout, gateway.Connected)
	<-ctx.Done()
	return exitWhenStopped
}

// after is the argument that follows another.
func after(args []string, name string) string {
	for i, arg := range args[:max(len(args)-1, 0)] {
		if arg == name {
			return args[i+1]
		}
	}
	return ""
}
