// Command sandkeeper keeps OpenShell sandbox hosts safe through an upgrade.
package main

import (
	"os"

	"sandkeeper/cmd"
)

func main() { os.Exit(int(cmd.Main(os.Args[1:], cmd.SystemStreams()))) }
