// Command sandbox-program is everything that runs in a made-up sandbox container: under the name of the supervisor or of an agent
// it tells that program's version; without arguments it waits to be told to stop.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"sandkeeper/test/standin"
)

func main() {
	if slices.Contains(os.Args[1:], "--version") {
		version, err := standin.OwnVersion()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(70)
		}
		fmt.Println(filepath.Base(os.Args[0]), version)
		return
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
}
