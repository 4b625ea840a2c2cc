// Command sandkeeper-downstream is sandkeeper as a downstream builds it: the same program with extensions of its own
// linked in. Its extensions do nothing but refuse, to show what that leaves behind.
package main

import (
	"os"

	"sandkeeper/cmd"
)

func main() { os.Exit(int(cmd.Main(os.Args[1:], cmd.SystemStreams(), alwaysRefuses(), refusesOnce()))) }
