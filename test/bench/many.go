package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	manyBackup   = "sandkeeper backup-all --offline: first backup"
	manyAgain    = "sandkeeper backup-all --offline: second, nothing changed"
	manyCopy     = "docker cp - | zstd -T0 -1 >file; sync file"
	manyRaw      = "docker cp - >/dev/null"
	manyTar      = "tar | zstd -T0 -1 >file; sync file (of the layer's files)"
	manyRestic   = "restic backup: first (of the layer's files)"
	manyRestore  = "sandkeeper restore -y over the same content (keeps a copy of it first)"
	manyDockerIn = "zstd -dc | docker cp - over the same content"
)

// crowd is a home of many small files: a hundred in each folder.
type crowd struct {
	entries int
	size    func(i int) int
}

// write streams the crowd as a tar with the folder top.
func (c crowd) write(to io.Writer, top string) error {
	w := tar.NewWriter(to)
	if err := folder(w, top); err != nil {
		return err
	}
	for i, made := 0, 1; made < c.entries; i, made = i+1, made+1 {
		if i%100 == 0 {
			made++
			if err := folder(w, fmt.Sprintf("%s/d%05d", top, i/100)); err != nil {
				return err
			}
		}
		text := fmt.Sprintf("file %08d\n", i)
		content := strings.Repeat(text, 1+c.size(i)/len(text))
		if err := file(w, fmt.Sprintf("%s/d%05d/%08d.txt", top, i/100, i), 0o644, int64(len(content)), strings.NewReader(content)); err != nil {
			return err
		}
	}
	return w.Close()
}

// many measures a home of 100,000 entries.
func (b *bench) many(ctx context.Context, r *section) error {
	s, c, drop, err := b.crowdOf(ctx, r, "many", crowd{100_000 / b.part, func(i int) int { return i % 4000 }})
	if s == nil || err != nil {
		return err
	}
	root := filepath.Join(b.dir, "many-root")
	over := s.sandkeeper(manyRestore, s.env, "restore", c.sandbox, "-y", "--backup-dir", root)
	in := shell(manyDockerIn, fmt.Sprintf("zstd -dcq %s | docker cp - %s:/; sync", s.copy, c.name))
	samples, err := rounds(ctx, b.rounds, b.enough, []step{
		again(s.backupOf(manyBackup, c, root), root), s.backupOf(manyAgain, c, root),
		shell(manyRaw, fmt.Sprintf("docker cp %s:/sandbox - >/dev/null", c.name)),
		shell(manyCopy, fmt.Sprintf("docker cp %s:/sandbox - | zstd -q -f -T0 -1 >%s; sync %s", c.name, s.copy, s.copy)),
		over, in,
	}, b.say)
	if err != nil {
		return err
	}
	r.many(samples)
	return errors.Join(drop(), os.RemoveAll(root), os.RemoveAll(s.copy))
}

// million measures the memory for a home of a million entries, once.
func (b *bench) million(ctx context.Context, r *section) error {
	s, c, drop, err := b.crowdOf(ctx, r, "million", crowd{1_000_000 / b.part, func(int) int { return 20 }})
	if s == nil || err != nil {
		return err
	}
	layer, err := docker(ctx, nil, "inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", c.name)
	if err != nil {
		return err
	}
	root := filepath.Join(b.dir, "million-root")
	steps := []step{s.backupOf(manyBackup, c, root), s.backupOf(manyAgain, c, root), s.tarZstd(manyTar, layer)}
	if installed("restic") {
		restic := s.restic("million")
		steps = append(steps, restic.init, restic.save(manyRestic, filepath.Join(layer, "sandbox")))
		defer func() { err = errors.Join(err, dropTools([]tool{restic})) }()
	}
	samples, err := rounds(ctx, 1, b.enough, steps, b.say)
	if err != nil {
		return err
	}
	r.million(samples)
	return errors.Join(drop(), os.RemoveAll(root), os.RemoveAll(s.copy))
}

// crowdOf makes a running sandbox with what write streams, and says how to remove it.
func (b *bench) crowdOf(ctx context.Context, r *section, name string, home crowd) (*saving, container, func() error, error) {
	s, err := b.bare(ctx, r)
	if s == nil || err != nil {
		return nil, container{}, nil, err
	}
	b.say(fmt.Sprintf("making a home of %d entries", home.entries))
	c, err := s.sandbox(ctx, s.image, name, true)
	if err == nil {
		err = s.fill(ctx, c, home.write)
	}
	if err == nil {
		_, err = shell("settle", "sync; sleep 3").run(ctx)
	}
	return s, c, c.remove, err
}
