package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/tree"
	"sandkeeper/engine"
)

// Direct opens the home in the file system. The error wraps ErrNotDirect and says what is missing: a right, a proof, or
// that the home is more than its layers.
func (h ContainerHome) Direct(ctx context.Context) (*DirectHome, error) {
	return notDirect(h.direct(ctx, false))
}

// DirectLayers opens the home as its layers have it, for a restore: what is mounted below is no part of it. That the
// home is itself a mount, or lies in one, is an error.
func (h ContainerHome) DirectLayers(ctx context.Context) (*DirectHome, error) {
	return notDirect(h.direct(ctx, true))
}

// Ground is OnHost, with the layers that an engine does not name but has mounted on this host while the container runs.
func Ground(ctx context.Context, e Grounded, id string) (engine.OnHost, error) {
	at, err := e.OnHost(ctx, id)
	if err != nil || at.Upper != "" || at.Pid == 0 {
		return at, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err == nil {
		at.Upper, at.Lower = layersIn(string(mounts), at.Container)
	}
	return at, err
}

func notDirect(d *DirectHome, err error) (*DirectHome, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotDirect, err)
	}
	return d, nil
}

func (h ContainerHome) direct(ctx context.Context, bare bool) (*DirectHome, error) {
	grounded, ok := h.Engine.(Grounded)
	switch {
	case !ok:
		return nil, errors.New("the container engine does not say where it keeps its containers")
	case os.Geteuid() != 0:
		return nil, errors.New("that is for root")
	}

	at, err := Ground(ctx, grounded, h.ID)
	if err != nil {
		return nil, err
	}
	d := &DirectHome{At: at, mounts: map[string]bool{}, memory: map[string]bool{}}
	for _, mount := range at.Mounts {
		if err := h.include(ctx, d, mount, bare); err != nil {
			return nil, err
		}
	}

	if at.Pid == 0 && at.RuntimeUntold {
		return nil, errors.New("the engine does not say which runtime it is of")
	}
	if at.Pid == 0 {
		d.Folder, err = d.openStopped(h.Dir)
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
	if err = h.still(ctx, grounded, at, process); err == nil && bare {
		err = d.inVolume()
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// include takes in what is mounted in the home. A volume or a folder of the host is a part of it, unless only the
// layers are wanted. A stopped container has none of its mounts.
func (h ContainerHome) include(ctx context.Context, d *DirectHome, mount engine.Mount, bare bool) error {
	at, err := h.mountedAt(ctx, mount.Destination)
	if err != nil {
		return err
	}
	over, below := within(h.Dir, at), within(at, h.Dir) && path.Clean(at) != path.Clean(h.Dir)
	name := strings.TrimPrefix(at, strings.TrimSuffix(h.Dir, "/")+"/")
	switch {
	case mount.Plain && path.Clean(at) == path.Clean(h.Dir):
		d.Volume = mount.Source
	case over && bare:
		return fmt.Errorf("%s is mounted", at)
	case !bare && d.At.Pid == 0 && (over || below && mount.Type != tmpfs):
		return fmt.Errorf("%s is mounted while the container runs", at)
	case below:
		d.Below = append(d.Below, name)
		d.memory[name] = mount.Type == tmpfs
		d.mounts[name] = mount.Type != tmpfs && !bare
	}

	return nil
}

// openStopped opens the home of a container that does not run.
func (d *DirectHome) openStopped(dir string) (*os.File, error) {
	if d.Volume == "" {
		return openStopped(d.At, dir)
	}
	if err := PlainLayers(d.At); err != nil { // which shows whose numbers its users have
		return nil, err
	}
	return os.OpenFile(d.Volume, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// Stopped opens the home of a container that ran when its place was looked up, and runs no more. What was mounted below
// is no part of it.
func Stopped(at engine.OnHost, volume, dir string) (*DirectHome, error) {
	d := &DirectHome{At: at, Volume: volume}
	folder, err := d.openStopped(dir)
	d.Folder = folder
	return notDirect(d, err)
}

// inVolume proves that the home that was opened is the folder of its volume.
func (d *DirectHome) inVolume() error {
	if d.Volume == "" {
		return nil
	}
	seen, err := d.Folder.Stat()
	if err != nil {
		return err
	}
	folder, err := os.Lstat(d.Volume)
	if err == nil && !os.SameFile(seen, folder) {
		err = fmt.Errorf("%s is not the volume's folder %s", d.Folder.Name(), d.Volume)
	}
	return err
}

// still asks once more, after the home was opened, whether the process that was proved is the container's: its number
// may have been given to another one between the engine's answer and the look.
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

// Capture reads the home whole into into, several files at once. changed names the files that were written to while
// they were read. An error that is neither into's nor the context's wraps ErrNotDirect.
//
// Files that earlier knows are not read. nil: all are.
func (d *DirectHome) Capture(ctx context.Context, into Sink, earlier *archive.Earlier, m *Meter) (changed []string, err error) {
	counted := meterReader{Meter: m}
	into, only, left := walked(into)
	defer left()
	changed, err = tree.Read(ctx, d.Folder, mountNamer{into, d.memory}, tree.ReadOptions{
		Only:    only,
		Enter:   func(name string) bool { return d.mounts[name] },
		Through: func(r io.Reader) io.Reader { counted.from = r; return &counted },
		Earlier: earlier.Of,
		Added:   m.file,
	})
	if unreadable, ok := errors.AsType[*tree.UnreadableError](err); ok {
		err = fmt.Errorf("%w: %w", ErrNotDirect, unreadable)
	}
	return changed, err
}

// mountNamer says of a tmpfs what it is.
type mountNamer struct {
	Sink
	memory map[string]bool
}

// Omit names what is left out.
func (n mountNamer) Omit(name, reason string) {
	if n.memory[name] {
		reason = InMemory
	}
	n.Sink.Omit(name, reason)
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
