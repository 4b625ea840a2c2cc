package home

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sandkeeper/engine"
)

// process is the first process of a container, held by descriptors that mean it and no other, whatever becomes of its
// number.
type process struct {
	pidfd int
	proc  int // its folder in /proc
}

// proveProcess takes hold of the process that an engine says is a container's, and believes it only where the kernel
// says the same: it is in a control group with the container's whole id, in a mount namespace of its own, its root is
// an overlay whose writable layer is the container's, and it names users and groups as this host does.
func proveProcess(at engine.OnHost) (*process, error) {
	p, err := holdProcess(at.Pid)
	if err != nil {
		return nil, err
	}
	for _, prove := range []func(engine.OnHost) error{p.inGroup, p.apart, p.sameUsers, p.onLayer} {
		if err := prove(at); err != nil {
			p.close()
			return nil, fmt.Errorf("process %d: %w", at.Pid, err)
		}
	}
	return p, nil
}

// holdProcess takes hold of a process that lives.
func holdProcess(pid int) (*process, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	proc, err := unix.Open("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = unix.Close(pidfd)
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	p := &process{pidfd: pidfd, proc: proc}
	if p.ended() { // and the folder may be that of another process, which has its number now
		p.close()
		return nil, fmt.Errorf("process %d has ended", pid)
	}
	return p, nil
}

func (p *process) close() {
	_ = unix.Close(p.pidfd) // neither was written
	_ = unix.Close(p.proc)
}

// ended reports whether the process has come to its end (pidfd_open(2): its descriptor is readable then).
func (p *process) ended() bool {
	poll := []unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(poll, 0)
	return n != 0 || err != nil
}

// inGroup: every engine gives a container control groups that are named by its whole id (docker/ID, docker-ID.scope,
// libpod-ID.scope).
func (p *process) inGroup(at engine.OnHost) error {
	groups, err := p.read("cgroup")
	if err == nil && (len(at.Container) != 64 || !strings.Contains(groups, at.Container)) {
		err = errors.New("it is in no control group of the container's")
	}
	return err
}

func (p *process) apart(engine.OnHost) error {
	theirs, err := readLinkAt(p.proc, "ns/mnt")
	if err != nil {
		return err
	}
	ours, err := os.Readlink("/proc/self/ns/mnt")
	if err == nil && ours == theirs {
		err = errors.New("it is in the mount namespace of this host")
	}
	return err
}

// sameUsers refuses a container in a user namespace with other numbers: its files' owners are not what it calls them.
func (p *process) sameUsers(engine.OnHost) error {
	for _, name := range []string{"uid_map", "gid_map"} {
		ids, err := p.read(name)
		if err != nil {
			return err
		}
		if strings.Join(strings.Fields(ids), " ") != "0 0 4294967295" {
			return errors.New("it is in a user namespace with users of its own")
		}
	}
	return nil
}

func (p *process) onLayer(at engine.OnHost) error {
	mounts, err := p.read("mountinfo")
	if err != nil {
		return err
	}
	upper := upperOfRoot(mounts)
	switch {
	case upper == "":
		return errors.New("its root is no overlay of this kernel")
	case at.Upper != "" && !isLayer(upper, at.Upper):
		return errors.New("its root is on another writable layer than the container's")
	}

	return nil
}

// open opens a folder of the container as its first process sees it.
func (p *process) open(dir string) (*os.File, error) {
	root, err := unix.Openat(p.proc, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "root", Err: err}
	}
	defer unix.Close(root)
	return openIn(root, dir)
}

func (p *process) read(name string) (string, error) {
	fd, err := unix.Openat(p.proc, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

func readLinkAt(at int, name string) (string, error) {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(at, name, target)
	if err != nil {
		return "", &os.PathError{Op: "readlink", Path: name, Err: err}
	}
	return string(target[:n]), nil
}
