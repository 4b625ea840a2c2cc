package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"sandkeeper/engine"
)

// mostLinks is how many symbolic links are followed on the way to a mount, as many as the kernel follows.
const mostLinks = 40

// Unmounted names a mount that lies over the home or in it: what is there is not in the container's writable layer.
func (h ContainerHome) Unmounted(ctx context.Context, targets []string) error {
	for _, target := range targets {
		at, err := h.mountedAt(ctx, target)
		if err != nil {
			return err
		}
		if within(h.Dir, at) || within(at, h.Dir) {
			return fmt.Errorf("%s is mounted", at)
		}
	}
	return nil
}

// Located gives the mounts with the places where they really lie.
func (h ContainerHome) Located(ctx context.Context, mounts []engine.Mount) ([]engine.Mount, error) {
	located := make([]engine.Mount, 0, len(mounts))
	for _, mount := range mounts {
		at, err := h.mountedAt(ctx, mount.Destination)
		if err != nil {
			return nil, err
		}
		mount.Destination = at
		located = append(located, mount)
	}
	return located, nil
}

const tmpfs = "tmpfs"

// InMemory is why what is in a tmpfs is in no backup.
const InMemory = "a tmpfs: what is in it is in memory only, and gone when the sandbox stops"

// OmitMemory names what lies in the memory of the machine, which no engine gives of a container.
func (h ContainerHome) OmitMemory(ctx context.Context, mounts []engine.Mount, into Sink) error {
	for _, mount := range mounts {
		if mount.Type != tmpfs {
			continue
		}
		at, err := h.mountedAt(ctx, mount.Destination)
		if err != nil {
			return err
		}
		if name, below := strings.CutPrefix(at, strings.TrimSuffix(h.Dir, "/")+"/"); below {
			into.Omit(name, InMemory)
		}
	}
	return nil
}

// mountedAt says where in the container a mount really lies. An engine keeps the target as it was asked for, and mounts
// where the links on the way lead: with /alias a link to /sandbox, a volume at /alias/data is in the home.
func (h ContainerHome) mountedAt(ctx context.Context, target string) (string, error) {
	at, rest, links := "/", parts(target), 0
	for len(rest) > 0 {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		fact, err := h.Engine.Stat(ctx, h.ID, next)
		switch {
		case errors.Is(err, fs.ErrNotExist): // is made by the engine, as it is written
			return path.Join(next, path.Join(rest...)), nil
		case err != nil:
			return "", fmt.Errorf("looking at %s on the way to the mount %s: %w", next, target, err)
		case fact.Mode&fs.ModeSymlink == 0:
			at = next
			continue
		case links == mostLinks:
			return "", fmt.Errorf("more than %d links on the way to the mount %s", mostLinks, target)
		case path.IsAbs(fact.Link):
			at = "/"
		}

		links++
		rest = append(parts(fact.Link), rest...)
	}
	return at, nil
}

func parts(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
}

// within reports whether name is dir or lies below it.
func within(name, dir string) bool {
	dir = path.Clean(dir)
	return path.Clean(name) == dir || strings.HasPrefix(path.Clean(name), strings.TrimSuffix(dir, "/")+"/")
}
