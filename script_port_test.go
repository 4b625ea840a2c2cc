package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// hold is a program that listens at the address that it is given, and says nothing to whoever comes.
func hold() { holdAt(os.Args[1]) }

// holdAsGateway is called like a gateway: it tells a version, and listens on its --port.
func holdAsGateway() {
	for i, arg := range os.Args {
		switch arg {
		case "--version":
			fmt.Println("openshell-gateway 0.0.44")
			return
		case "--port":
			holdAt("127.0.0.1:" + os.Args[i+1])
		}
	}
}

func holdAt(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		if _, err := listener.Accept(); err != nil {
			os.Exit(1)
		}
	}
}

// listeningCommand is `listening PORT…` in a script: waits until something listens on each.
func listeningCommand(ts *testscript.TestScript, _ bool, ports []string) {
	for _, port := range ports {
		until := time.Now().Add(2 * time.Minute)
		for {
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(until) {
				ts.Fatalf("nothing listens on port %s: %v", port, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// noCLICommand is `nocli` in a script: from here on PATH leads to sandkeeper, and to no openshell.
func noCLICommand(ts *testscript.TestScript, _ bool, _ []string) {
	bin := ts.MkAbs("only")
	ts.Check(os.Mkdir(bin, 0o755))
	program, err := exec.LookPath("sandkeeper")
	ts.Check(err)
	ts.Check(os.Symlink(program, filepath.Join(bin, "sandkeeper")))
	ts.Setenv("PATH", bin)
}
