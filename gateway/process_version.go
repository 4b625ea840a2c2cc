package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"sandkeeper/drift"
	"sandkeeper/internal/command"
	"sandkeeper/internal/trust"
)

// runningVersion asks the image that r really runs for its version, and says under which path it was started. Images
// that others could have written, and processes of other users, are never executed.
func (o Options) runningVersion(ctx context.Context, r *running) (drift.Evidence, string) {
	if r.UID != o.UID {
		return unknown("process %d belongs to user %d: it is observed, never executed", r.PID, r.UID), argv0(r)
	}
	if r.shape == compat {
		return o.mountedVersion(ctx, r), r.source
	}
	if realm := o.Processes.Realm(ctx, r.PID); realm.Kind != Ours {
		return unknown("%s: it is observed, never executed", realm.Why), argv0(r)
	}
	image, path, err := o.Processes.Image(ctx, r.PID)
	if err != nil {
		return unknown("the image of process %d cannot be opened: %w", r.PID, err), argv0(r)
	}
	defer image.Close()
	if err := o.trusted(image, path); err != nil {
		return unknown("process %d: %w", r.PID, err), path
	}
	// The number may have gone to another process while we looked.
	if again, err := o.Processes.Look(ctx, r.PID); err != nil || again.Zombie || again.Born != r.Born {
		return unknown("process %d ended while it was looked at", r.PID), path
	}
	return o.ask(ctx, image, path, fmt.Sprintf("the image of process %d", r.PID)), path
}

// trusted judges the opened image by owner and mode, and the folder that it came from while that still exists.
func (o Options) trusted(image *os.File, path string) error {
	info, err := image.Stat()
	if err != nil {
		return err
	}
	if err := trust.File(info, path, o.UID); err != nil {
		return err
	}
	err = trust.Folder(filepath.Dir(path), o.UID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// mountedVersion is the version of the file that a compat container mounts. The container keeps the inode that it was
// started with; when the file changed since, nothing here can tell what runs.
func (o Options) mountedVersion(ctx context.Context, r *running) drift.Evidence {
	if r.source == "" {
		return unknown("process %d runs the gateway in a container, and its command line does not say from which file", r.PID)
	}
	file, err := trust.Open(r.source, o.UID)
	if err != nil {
		return unknown("process %d runs %s in a container: %w", r.PID, r.source, err)
	}
	defer file.Close()
	changed, err := changeTime(file)
	if err != nil {
		return unknown("process %d runs %s in a container: %w", r.PID, r.source, err)
	}
	// Start times have a granularity of one second.
	if changed.After(r.Started.Add(time.Second)) {
		return unknown("%s was replaced at %s, after process %d started: the container may still run the old one",
			r.source, changed.UTC().Format(time.RFC3339), r.PID)
	}
	return o.ask(ctx, file, r.source, r.source)
}

// ask runs file, which was judged and is called path, with --version, and believes only output that names the gateway;
// called is the file in words. Up to 0.0.31 the gateway's program was openshell-server (docs/facts/openshell.md 1.1).
func (o Options) ask(ctx context.Context, file *os.File, path, called string) drift.Evidence {
	result, err := o.asked.once(file, path, func() (command.Result, error) { return o.run(ctx, file, path, "--version") })
	if err != nil {
		return unknown("%s did not say its version: %w", called, err)
	}
	for _, name := range []string{"openshell-gateway", "openshell-server"} {
		if version, ok := drift.ToolVersion(result.Combined(), name); ok {
			return drift.Evidence{State: drift.Known, Version: version}
		}
	}
	return unknown("%s --version did not name an openshell-gateway version: %w", called, errors.New(quoted(result.Combined())))
}

// run runs file, which was judged and is called path, in an environment of our making.
func (o Options) run(ctx context.Context, file *os.File, path string, args ...string) (command.Result, error) {
	return command.Run(ctx, command.Command{
		Path: path, File: file, Args: args, Timeout: o.ProbeTimeout,
		Env: []string{"HOME=" + o.Env.Home(), "PATH=/usr/bin:/bin", "LC_ALL=C", "NO_COLOR=1"},
	})
}

func argv0(r *running) string {
	if len(r.Args) == 0 || !filepath.IsAbs(bare(r.Args[0])) {
		return ""
	}
	return bare(r.Args[0])
}

func changeTime(file *os.File) (time.Time, error) {
	info, err := file.Stat()
	if err != nil {
		return time.Time{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime(), nil
	}
	return changed(stat), nil
}
