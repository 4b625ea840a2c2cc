package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	sparseBackup  = "sandkeeper backup-all --offline: first backup"
	sparseTar     = "tar -S | zstd -T0 -1 >file; sync file (of the layer's files)"
	sparseRestic  = "restic backup (of the layer's files)"
	sparseRestore = "sandkeeper restore -y --to an empty sandbox"
	sparseExtract = "zstd -dc | tar -x -S; sync -f (plain files)"
)

// sparse measures a file of 12 GiB of which 64 MiB are data, in 64 places.
func (b *bench) sparse(ctx context.Context, r *section) error {
	s, err := b.bare(ctx, r)
	if s == nil || err != nil {
		return err
	}
	c, layer, err := s.sparseHome(ctx)
	if err != nil {
		return err
	}
	root := filepath.Join(b.dir, "sparse-root")
	back := s.sandkeeper(sparseRestore, s.env, "restore", c.sandbox, "-y", "--to", named("empty").sandbox, "--backup-dir", root)
	back.before = s.newEmpty
	back.after = func(ctx context.Context) error { return errors.Join(s.stillSparse(ctx), s.dropEmpty(ctx)) }
	extract := shell(sparseExtract, fmt.Sprintf("zstd -dcq %s | tar -x -S -f - -C %s; sync -f %s", s.copy, s.scratch, s.scratch))
	extract.before, extract.after = s.newScratch, s.dropScratch
	steps := []step{
		again(s.backupOf(sparseBackup, c, root), root),
		shell(sparseTar, fmt.Sprintf("tar -c -S -C %s sandbox | zstd -q -f -T0 -1 >%s; sync %s", layer, s.copy, s.copy)), back, extract,
	}
	if installed("restic") {
		restic := s.restic("sparse")
		defer func() { err = errors.Join(err, dropTools([]tool{restic})) }()
		steps = append(steps, restic.init, restic.save(sparseRestic, filepath.Join(layer, "sandbox")))
	}
	samples, err := rounds(ctx, b.rounds, b.enough, steps, b.say)
	if err != nil {
		return err
	}
	sizes := map[string]int64{}
	if sizes[sparseBackup], err = firstSize(filepath.Join(root, c.sandbox)); err != nil {
		return err
	}
	if sizes[sparseTar], err = fileSize(s.copy); err != nil {
		return err
	}
	r.sparse(samples, sizes)
	return errors.Join(c.remove(), os.RemoveAll(root), os.RemoveAll(s.copy))
}

// sparseHome makes a running sandbox with the file, and says where its layer is.
func (s *saving) sparseHome(ctx context.Context) (container, string, error) {
	c, err := s.sandbox(ctx, s.image, "sparse", true)
	if err != nil {
		return c, "", err
	}
	every := 12 << 10 / 64 / s.part // MiB from one place to the next
	script := fmt.Sprintf("cd /sandbox; i=0; while [ $i -lt 64 ]; do dd if=/dev/urandom of=disk.img bs=1048576 count=1 seek=$((i*%d)) conv=notrunc 2>/dev/null || exit 1; i=$((i+1)); done; truncate -s $((64*%d))m disk.img; chown -R 1000:1000 /sandbox; sync", every, every)
	if _, err := docker(ctx, nil, "exec", c.name, "/bin/busybox", "sh", "-c", script); err != nil {
		return c, "", err
	}
	layer, err := docker(ctx, nil, "inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", c.name)
	return c, layer, err
}

// stillSparse looks whether the holes came back.
func (s *saving) stillSparse(ctx context.Context) error {
	blocks, err := docker(ctx, nil, "exec", s.empty.name, "/bin/busybox", "du", "-m", "/sandbox/disk.img")
	if err != nil {
		return err
	}
	var used int
	if _, err := fmt.Sscan(blocks, &used); err != nil || used > 80 {
		return fmt.Errorf("the file that came back takes %q MiB, not 64", blocks)
	}
	return nil
}
