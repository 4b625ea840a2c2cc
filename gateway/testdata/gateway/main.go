// Command openshell-gateway stands in for the real one: its version is what was appended to its file after the marker,
// so that one build serves every version, and an image that was replaced while it ran still tells its own.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		fmt.Println("openshell-gateway", version())
		trace() // who must not be executed leaves one when it is
		return
	}

	if path := os.Getenv("STAND_IN_OPEN"); path != "" {
		if _, err := os.Open(path); err != nil { // as long as this runs
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}

	if port := os.Getenv("STAND_IN_PORT"); port != "" {
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	} else {
		fmt.Println("ready")
	}

	if os.Getenv("STAND_IN_LEADER") == "ends" {
		leaveLeader()
	}
	time.Sleep(time.Minute)
}

// leaveLeader ends the first thread alone: the process goes on with a zombie leader.
func leaveLeader() {
	go func() { time.Sleep(time.Minute); os.Exit(0) }()
	if firstThread && syscall.Gettid() == syscall.Getpid() {
		syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
	}
}

// firstThread keeps main on the thread that the process started with: only what runs before main can ask for that.
var firstThread = func() bool { runtime.LockOSThread(); return true }()

// trace adds a byte to the file executed in the home.
func trace() {
	file, err := os.OpenFile(os.Getenv("HOME")+"/executed", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = file.WriteString("x")
		_ = file.Close()
	}
}

func version() string {
	image, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err.Error()
	}
	return string(image[bytes.LastIndex(image, []byte("\nVERSION=")[:])+len("\nVERSION="):])
}
