// Command sandbox-program is everything that runs in a made-up sandbox container. Its arguments are those of the real
// programs: of the supervisor of 0.0.x, of the runtime and of the companion of 0.1.x. With --version it tells the
// version of whatever it is named, and without arguments it waits to be told to stop.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sandkeeper/test/standin"
	"sandkeeper/test/standin/supervisor"
)

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	if slices.Contains(args[1:], "--version") {
		version, err := standin.OwnVersion()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 70
		}
		fmt.Println(filepath.Base(args[0]), version)
		return 0
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	switch {
	case len(args) == 3 && args[1] == "--workdir":
		return supervisor.Supervisor{
			Root: "/", Workdir: args[2], Environment: environment(), Stdout: os.Stdout, Stderr: os.Stderr,
		}.Run(ctx)
	case len(args) == 3 && args[1] == "--bootstrap":
		return supervisor.Workload(ctx, args[2], os.Stdout, os.Stderr)
	case slices.Contains(args, "--backend-descriptor-file"):
		return supervisor.Companion(ctx, args[1:], os.Stdout, os.Stderr)
	case len(args) > 1 && args[1] == "health":
		return 0
	}

	<-ctx.Done()
	return 0
}

func environment() map[string]string {
	all := map[string]string{}
	for _, line := range os.Environ() {
		name, value, _ := strings.Cut(line, "=")
		all[name] = value
	}
	return all
}
