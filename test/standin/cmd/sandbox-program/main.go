// Command sandbox-program is everything that runs in a made-up sandbox container: under the name of the supervisor it is one, with
// --version it tells the version of whatever it is named, and without arguments it waits to be told to stop.
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
	if len(args) == 3 && args[1] == "--workdir" {
		return supervisor.Supervisor{
			Root: "/", Workdir: args[2], Environment: environment(), Stdout: os.Stdout, Stderr: os.Stderr,
		}.Run(ctx)
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
