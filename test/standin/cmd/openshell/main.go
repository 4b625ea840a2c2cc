// Command openshell is the stand-in command line as a program of its own.
package main

import (
	"os"

	"sandkeeper/test/standin/openshell"
)

func main() {
	os.Exit(openshell.Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
