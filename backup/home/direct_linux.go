package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"sandkeeper/backup/tree"
	"sandkeeper/engine"
)

// Direct opens the home in the file system. The error wraps ErrNotDirect and says what is missing: a right, a proof, or that the home is
// more than its layers.
func (h ContainerHome) Direct(ctx context.Context) (*DirectHome, error) {
	d, err := h.direct(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotDirect, err)
	}
	return d, nil
}

func (h ContainerHome) direct(ctx context.Context) (*DirectHome, error) {
	grounded, ok := h.Engine.(Grounded)
	switch {
	case !ok:
		return nil, errors.New("the container engine does not say where it keeps its containers")
	case os.Geteuid() != 0:
		return nil, errors.New("that is for root")
	}
	at, err := grounded.OnHost(ctx, h.ID)
	if err != nil {
		return nil, err
	}
	d := &DirectHome{At: at, mounts: map[string]bool{}}
	for _, mount := range at.Mounts {
		if err := h.include(ctx, d, mount, at.Pid != 0); err != nil {
			return nil, err
		}
	}
	if at.Pid == 0 {
		d.Folder, err = openStopped(at, h.Dir)
		return d, err
	}
	process, err := proveProcess(at)
	if err != nil {
		return nil, err
	}
	defer process.close()
	if d.Folder, err = process.open(h.Dir); err != nil {
		return nil, err
	}
	if err := h.still(ctx, grounded, at, process); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// include makes a volume or a folder of the host that lies in the home a part of it. A stopped container has none of its mounts.
func (h ContainerHome) include(ctx context.Context, d *DirectHome, mount engine.Mount, running bool) error {
	at, err := h.mountedAt(ctx, mount.Destination)
	switch {
	case err != nil:
		return err
	case !running && (within(at, h.Dir) || within(h.Dir, at)):
		return fmt.Errorf("%s is mounted while the container runs", at)
	case mount.Type != "tmpfs" && within(at, h.Dir) && at != h.Dir:
		d.mounts[strings.TrimPrefix(at, strings.TrimSuffix(h.Dir, "/")+"/")] = true
	}
	return nil
}

// still asks once more, after the home was opened, whether the process that was proved is the container's: its number may have been
// given to another one between the engine's answer and the look.
func (h ContainerHome) still(ctx context.Context, e Grounded, then engine.OnHost, p *process) error {
	now, err := e.OnHost(ctx, h.ID)
	switch {
	case err != nil:
		return err
	case now.Pid != then.Pid || now.Container != then.Container || !now.Created.Equal(then.Created):
		return errors.New("the container was started or stopped meanwhile")
	case p.ended():
		return errors.New("its first process has ended")
	}
	return nil
}

// Capture reads the home whole into into, several files at once. changed names the files that were written to while they were read. An
// error that is neither into's nor the context's wraps ErrNotDirect.
func (d *DirectHome) Capture(ctx context.Context, into Sink, m *Meter) (changed []string, err error) {
	counted := meterReader{Meter: m}
	into, only, left := walked(into)
	defer left()
	changed, err = tree.Read(ctx, d.Folder, into, tree.ReadOptions{
		Only:    only,
		Enter:   func(name string) bool { return d.mounts[name] },
		Through: func(r io.Reader) io.Reader { counted.from = r; return &counted },
		Added:   m.file,
	})
	if unreadable, ok := errors.AsType[*tree.UnreadableError](err); ok {
		err = fmt.Errorf("%w: %w", ErrNotDirect, unreadable)
	}
	return changed, err
}

// openIn opens the folder dir, absolute, as it is seen from root: no link is followed on the way.
func openIn(root int, dir string) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := unix.Openat2(root, dir, &how)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}
