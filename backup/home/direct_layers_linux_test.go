package home

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Docker mounts an image of more than some twenty layers from within its own folder: the kernel then has the layer by a relative path.
func TestALayerByAnotherPath(t *testing.T) {
	real := filepath.Join(t.TempDir(), "0123abcd", "diff")
	if err := os.MkdirAll(real, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for upper, want := range map[string]bool{
		real: true, link: true, "0123abcd/diff": true, "123abcd/diff": false, "other/diff": false, "": false, filepath.Dir(real): false, "/nowhere": false,
	} {
		if got := isLayer(upper, real); got != want {
			t.Errorf("%q is the layer: %v, want %v", upper, got, want)
		}
	}
}

// Promise: Podman's service, whose first thread stays for ever in a container that it was asked about, does not pass
// for that container's process.
func TestOneThatOnlyLooksInUsesNoLayers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts")
	}
	inside, insideUpper := mounter(t, "whole", syscall.CLONE_NEWNS)
	err := Unmounted(insideUpper)
	if want := "of process " + strconv.Itoa(inside); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("a process in the mount namespace: %v; want %q", err, want)
	}
	_, lookedAt := mounter(t, "looking", 0)
	if err := Unmounted(lookedAt); err != nil {
		t.Errorf("a process with one thread in it: %v", err)
	}
}

// mounter starts a process that has an overlay mounted: in all of it, or where only its first thread is.
func mounter(t *testing.T, mode string, flags uintptr) (pid int, upper string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	child := exec.Command(os.Args[0], "-test.run=^TestMounter$", mode, dir)
	child.Env = append(os.Environ(), "SANDKEEPER_TEST_MOUNTER=1")
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	child.Stderr = os.Stderr
	said, err := child.StdoutPipe()
	if err == nil {
		_, err = child.StdinPipe()
	}
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	if line, err := bufio.NewReader(said).ReadString('\n'); line != "mounted\n" {
		t.Fatalf("it said %q, %v", line, err)
	}
	return child.Process.Pid, filepath.Join(dir, "upper")
}

// TestMounter is such a process.
func TestMounter(t *testing.T) {
	if os.Getenv("SANDKEEPER_TEST_MOUNTER") == "" {
		return
	}
	mode, dir := flag.Arg(0), flag.Arg(1)
	onFirstThread(func() {
		var err error
		if mode == "looking" {
			err = unix.Unshare(unix.CLONE_NEWNS)
		}
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			options := strings.NewReplacer("DIR", dir).Replace("lowerdir=DIR/lower,upperdir=DIR/upper,workdir=DIR/work")
			err = unix.Mount("overlay", filepath.Join(dir, "merged"), "overlay", 0, options)
		}
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Println("mounted")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
	})
}

// onFirstThread holds one thread after the other, until the first of the process is what runs f.
func onFirstThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		onFirstThread(f)
	}()
	<-done
}

// A process whose first thread has left the host's mount namespace does not see any more what is mounted there.
func TestTheFirstThreadStaysWhereItIs(t *testing.T) {
	var onFirst atomic.Int64
	for range 2000 {
		onThread(func() {
			if unix.Gettid() == os.Getpid() {
				onFirst.Add(1)
			}
		})
	}
	if n := onFirst.Load(); n != 0 {
		t.Errorf("%d of 2000 were on the first thread", n)
	}
}
