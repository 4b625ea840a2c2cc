// Command openshell-gateway is a stand-in for the host-process gateway: `--version` prints its version, otherwise it
// listens on 127.0.0.1:$OPENSHELL_SERVER_PORT and answers OpenShell's gRPC, for the sandboxes of the script
// $OPENSHELL_STANDIN, until it is told to stop.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sandkeeper/test/standin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(standin.Gateway(ctx, os.Args[1:], os.Getenv("OPENSHELL_SERVER_PORT"), os.Getenv("OPENSHELL_STANDIN"), os.Stdout, os.Stderr))
}
