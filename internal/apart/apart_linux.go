// Package apart runs the tests of a package in a network namespace of their own, so that no gateway of the machine is
// seen by them: what holds a port there is theirs, and processes of the machine are in another namespace. Tests only.
package apart

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// variable says to a test program that it runs apart already.
const variable = "SANDKEEPER_TESTS_APART"

// Main runs the tests apart where that is possible.
func Main(run func()) {
	again()
	if err := loopback(); err != nil {
		fmt.Fprintf(os.Stderr, "the tests have no loopback interface: %v\n", err)
	}
	run()
}

// again runs this test program again in a network namespace of its own, and ends with its exit status. It returns where
// that is not needed or not possible: in that run itself, in a program that a test runs, and on a system that gives no
// namespaces to this user.
func again() {
	if !strings.HasSuffix(os.Args[0], ".test") || os.Getenv(variable) != "" {
		return
	}
	program := exec.Command("/proc/self/exe", os.Args[1:]...)
	program.Args[0] = os.Args[0]
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
	program.Env = append(os.Environ(), variable+"=1")
	program.SysProcAttr = attributes()
	if err := program.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "the tests see the gateways of this machine: no network namespace: %v\n", err)
		return
	}
	err := program.Wait()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(program.ProcessState.ExitCode())
}

// attributes ask for the namespace. A user who is not root gets it in a user namespace in which he stays himself.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Geteuid(); uid != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
		a.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	return a
}

// loopback brings the loopback interface of the namespace up. Outside of one it does nothing.
func loopback() error {
	if os.Getenv(variable) == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
