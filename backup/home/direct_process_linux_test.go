package home

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandkeeper/engine"
)

// sleeper is a process of this host, apart from it by the namespaces that flags name.
func sleeper(t *testing.T, flags uintptr) *exec.Cmd {
	t.Helper()
	child := exec.Command("sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if flags&syscall.CLONE_NEWUSER != 0 {
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := child.Start(); err != nil {
		t.Skipf("SKIPPED, this host makes no such namespace: %v", err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	return child
}

func held(t *testing.T, pid int) *process {
	t.Helper()
	p, err := holdProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// Each proof says no to a process of this host, whatever the others say of it.
func TestEachProofRefusesAProcessOfThisHost(t *testing.T) {
	own := held(t, os.Getpid())
	for name, at := range map[string]engine.OnHost{"the whole id of a container": {Container: strings.Repeat("a", 64)}, "no id": {}} {
		if err := own.inGroup(at); err == nil || !strings.Contains(err.Error(), "control group") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := own.apart(engine.OnHost{}); err == nil || !strings.Contains(err.Error(), "mount namespace of this host") {
		t.Errorf("our own mount namespace: %v", err)
	}
	if err := held(t, sleeper(t, syscall.CLONE_NEWNS).Process.Pid).apart(engine.OnHost{}); err != nil {
		t.Errorf("a mount namespace of its own: %v", err)
	}
	if err := held(t, sleeper(t, syscall.CLONE_NEWUSER).Process.Pid).sameUsers(engine.OnHost{}); err == nil || !strings.Contains(err.Error(), "users of its own") {
		t.Errorf("a user namespace of its own: %v", err)
	}
}

// A process that has ended may have left its number to another: nothing is believed of either.
func TestAProcessThatHasEndedIsNotHeld(t *testing.T) {
	child := sleeper(t, 0)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // until it is a zombie, which has its number still
		p, err := holdProcess(child.Process.Pid)
		if err != nil {
			if !strings.Contains(err.Error(), "has ended") {
				t.Errorf("got %v", err)
			}
			return
		}
		p.close()
		if time.Now().After(until) {
			t.Fatal("it is held")
		}
	}
}
