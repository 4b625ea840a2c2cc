package main

import (
	"fmt"
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
		Files:               scripts(t),
		Setup:               setUpHost,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"docker": dockerCommand,
			"same":   sameTree,
			"json":   jsonCommand,
			"found":  foundCommand,
			"signal": signalCommand,

			"gateway":   gatewayCommand,
			"listening": listeningCommand,
			"nocli":     noCLICommand,
			"gatewaydb": databaseCommand,
		},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return os.Geteuid() == 0, nil
		},
	})
}

// scripts names the txtar files to run: all of them, or with -short each third, since the race detector makes every process of a script
// start five times slower, and what runs side by side in the program has its tests where it is written.
func scripts(t *testing.T) []string {
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatalf("no script in testdata/script: %v", err)
	}
	if !testing.Short() {
		return all
	}
	var some []string
	for i := 0; i < len(all); i += 3 {
		some = append(some, all[i])
	}
	return some
}
