package home

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sandkeeper/engine"
)

// openStopped opens a folder of a container that does not run, in its layers.
func openStopped(at engine.OnHost, dir string) (*os.File, error) {
	if err := PlainLayers(at); err != nil {
		return nil, err
	}
	if err := Unmounted(at.Upper); err != nil {
		return nil, err
	}
	root, err := stack(append([]string{at.Upper}, at.Lower...))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return openIn(int(root.Fd()), dir)
}

// PlainLayers refuses layers that this process would not see as the container does.
func PlainLayers(at engine.OnHost) error {
	if at.Upper == "" || len(at.Lower) == 0 {
		return errors.New("the engine does not say where the layers of a stopped container are")
	}
	// Podman says "true" here where fuse-overlayfs mounts, whose marks the kernel does not know (containers/storage,
	// drivers/overlay).
	program, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(at.Upper)), ".has-mount-program"))
	if !errors.Is(err, os.ErrNotExist) && strings.TrimSpace(string(program)) != "false" {
		return errors.New("its layers are not mounted by the kernel")
	}
	var root unix.Stat_t
	if err := unix.Lstat(at.Upper, &root); err != nil {
		return &os.PathError{Op: "stat", Path: at.Upper, Err: err}
	}
	if root.Uid != 0 || root.Gid != 0 {
		return errors.New("its root belongs to another user than this host's root")
	}
	return nil
}

// Stacked opens the folder that several make when they lie over each other, the topmost first. Two at least.
func Stacked(folders []string) (*DirectHome, error) {
	root, err := stack(folders)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotDirect, err)
	}
	defer root.Close()
	folder, err := openIn(int(root.Fd()), "/")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotDirect, err)
	}
	return &DirectHome{Folder: folder}, nil
}

// stack mounts folders over each other, the topmost first, read-only and for this process alone: in a mount namespace
// of a thread that ends at once, and where the mount itself is taken away again as soon as its root is open. It lives
// as long as the descriptor. None of the folders is an upper one, so that the kernel writes to none. Marks that only an
// engine's own mount options give a meaning (redirected folders, files that are only metadata) are errors where they
// are met, not guesses.
func stack(folders []string) (root *os.File, err error) {
	onThread(func() { root, err = stackApart(folders) })
	return root, err
}

// onThread runs f on a thread that ends with it, and with it whatever namespaces f has entered. It is never the first
// thread of the process: that one cannot end, and /proc/self would show its namespaces from then on.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine
		if unix.Gettid() == os.Getpid() {
			defer runtime.UnlockOSThread()
			onThread(f) // on another one, while this one is held
			return
		}
		f()
	}()
	<-done
}

// stackApart leaves this thread in a mount namespace of its own.
func stackApart(folders []string) (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, os.NewSyscallError("mount", err)
	}
	names := make([]string, 0, len(folders))
	for _, folder := range folders { // after unshare: an overlay takes only folders of its own namespace
		fd, err := unix.Open(folder, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: folder, Err: err}
		}
		defer unix.Close(fd)
		names = append(names, fmt.Sprintf("/proc/self/fd/%d", fd)) // short: all of them must fit in a page
	}

	options := "redirect_dir=nofollow,metacopy=off,lowerdir=" + strings.Join(names, ":")
	if len(options) >= os.Getpagesize() {
		return nil, fmt.Errorf("it has %d layers, more than one mount takes", len(folders))
	}
	return mountOver(folders[0], options)
}

// mountOver mounts an overlay over a folder, opens its root and takes the mount away.
func mountOver(folder, options string) (*os.File, error) {
	flags := uintptr(unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC)
	if err := unix.Mount("overlay", folder, "overlay", flags, options); err != nil {
		return nil, fmt.Errorf("mounting its layers: %w", err)
	}
	fd, err := unix.Open(folder, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err := errors.Join(err, unix.Unmount(folder, unix.MNT_DETACH)); err != nil {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		return nil, err
	}

	return os.NewFile(uintptr(fd), folder), nil
}

// Unmounted is an error when the overlay of that writable layer is mounted anywhere on this host, in whatever mount
// namespace a process is. A process of this host that only looked into the container does not count.
func Unmounted(upper string) error {
	ours, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return err
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	looked := map[string]bool{}
	for _, process := range processes {
		namespace, err := os.Readlink(process + "/ns/mnt")
		if err != nil || looked[namespace] { // it has ended, or is a thread of the kernel
			continue
		}
		text, err := os.ReadFile(process + "/mountinfo")
		if err != nil {
			continue
		}
		target, mounted := targetOf(string(text), upper)
		switch {
		case !mounted:
			looked[namespace] = true
		case namespace == ours || !hasThreadIn(process, ours):
			return fmt.Errorf("its layers are still mounted at %s of process %s", target, filepath.Base(process))
		}
	}

	return nil
}

// targetOf returns where the overlay of a writable layer is mounted.
func targetOf(mountinfo, upper string) (target string, mounted bool) {
	for _, m := range parseMounts(mountinfo) {
		if m.upper != "" && isLayer(m.upper, upper) {
			return m.target, true
		}
	}
	return "", false
}

// hasThreadIn reports whether a thread of a process is in a mount namespace. A process of which some threads are in
// this host's and others in a container's is one of the host's that only looks into the container. Podman's service
// answers questions about a running container's files on a thread that joins the container's mount namespace. Where
// that is its first thread, it sleeps there until the service ends, and nobody uses the mounts that it keeps
// (docs/facts/engines.md 1). What Podman writes in a container is written by a child that is there as a whole.
func hasThreadIn(process, namespace string) bool {
	threads, err := filepath.Glob(process + "/task/[0-9]*/ns/mnt")
	return err == nil && slices.ContainsFunc(threads, func(thread string) bool {
		its, err := os.Readlink(thread)
		return err == nil && its == namespace
	})
}

// isLayer reports whether a mount's upperdir is the folder layer. Docker mounts an image of many layers from within its
// own folder, by relative paths ("ID/diff": all of them must fit in a page; moby, daemon/graphdriver/overlay2).
func isLayer(upper, layer string) bool {
	if !filepath.IsAbs(upper) {
		return upper != "" && strings.HasSuffix(layer, "/"+upper)
	}
	if upper == layer {
		return true
	}
	one, errOne := os.Stat(upper)
	other, errOther := os.Stat(layer)
	return errOne == nil && errOther == nil && os.SameFile(one, other)
}
