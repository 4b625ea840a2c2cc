package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sandkeeper/internal/apart"
	"sandkeeper/test/standin/openshell"
)

// The program and its stand-in neighbour run as real processes: sandkeeper is the real main.
func TestMain(m *testing.M) {
	apart.Main(func() { run(m) })
}

func run(m *testing.M) {
	if filepath.Base(os.Args[0]) == "openshell-gateway" { // a copy that a script made: in the shared folder every script would have one
		holdAsGateway()
		return
	}
	testscript.Main(m, map[string]func(){
		"sandkeeper": main,
		"openshell":  func() { os.Exit(openshell.Main(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)) },

		// Programs that hold a port: what they are called decides what is said of them.
		"webapp": hold, "ssh": hold, "nginx": hold, "kubectl": hold,
	})
}

// One script per promise, named by it. A script's home is empty but for what it brings; its Docker is a fake daemon.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setUpHost,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"docker": dockerCommand,
			"same":   sameTree,
			"json":   jsonCommand,

			"gateway":   gatewayCommand,
			"listening": listeningCommand,
			"nocli":     noCLICommand,
			"gatewaydb": databaseCommand,
		},
	})
}
