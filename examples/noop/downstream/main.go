// Command downstream is sandkeeper with the extension noop linked in beside the built-in ones.
package main

import (
	"os"
	"sandkeeper/cmd"

	"example.com/fleet/noop"
)

func main() { os.Exit(int(cmd.Main(os.Args[1:], cmd.SystemStreams(), noop.Definition()))) }
