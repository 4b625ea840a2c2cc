package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The steps that several groups share, named as the page shows them.
const (
	tarExtract = "zstd -dc | tar x; sync -f (plain files)"
	zstdTest   = "zstd -t"
)

// saving is what the backup steps work on.
type saving struct {
	*bench
	image   string
	full    container // runs, and holds the data set
	env     []string
	root    string // of our backups
	copy    string // what zstd writes
	plain   string // the data set as plain files
	scratch string // emptied before each step that fills it
	empty   container
	past    uint64 // days
}

// bare gives what the backup steps work on without the data set; nil where the machine cannot do it.
func (b *bench) bare(ctx context.Context, r *section) (*saving, error) {
	if why := lacksDocker(ctx); why != "" {
		r.lacks("a Docker engine: no backup was measured", why)
		return nil, nil
	}
	if b.saving != nil {
		return b.saving, nil
	}
	s := &saving{
		bench: b, root: filepath.Join(b.dir, "root"), copy: filepath.Join(b.dir, "copy.tar.zst"),
		plain: filepath.Join(b.dir, "plain"), scratch: filepath.Join(b.dir, "scratch"),
	}
	var err error
	if s.env, err = b.homeEnv("backups-home"); err != nil {
		return nil, err
	}
	s.image, err = b.image(ctx)
	b.saving = s
	return s, err
}

// saved is bare with the data set, which is made when it is first asked for.
func (b *bench) saved(ctx context.Context, r *section) (*saving, error) {
	s, err := b.bare(ctx, r)
	if s == nil || err != nil || s.full.name != "" {
		return s, err
	}
	return s, s.prepare(ctx)
}

func (s *saving) prepare(ctx context.Context) (err error) {
	data := dataOf(s.part)
	s.say(fmt.Sprintf("making the data set: %d files, %d bytes", data.files(), data.bytes()))
	if s.full, err = s.sandbox(ctx, s.image, "full", true); err != nil {
		return err
	}
	if err := s.fill(ctx, s.full, data.write); err != nil {
		return err
	}
	if err := s.unpack(ctx, data, s.plain); err != nil {
		return err
	}
	// Everything is read once before anything is measured, and nothing is left to be written behind our back.
	_, err = shell("warm up", fmt.Sprintf("docker cp %s:/sandbox - >/dev/null; tar -c %s >/dev/null; sync; sleep 3", s.full.name, s.plain)).run(ctx)
	return err
}

// homeEnv is the environment of an operator with a home of that name.
func (b *bench) homeEnv(name string) ([]string, error) {
	home := filepath.Join(b.dir, name)
	return []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}, os.MkdirAll(home, 0o700)
}

// backup is one backup of the full sandbox into root.
func (s *saving) backup(name, root string, more ...string) step {
	return s.backupOf(name, s.full, root, more...)
}

func (s *saving) backupOf(name string, c container, root string, more ...string) step {
	return s.sandkeeper(name, s.env, append([]string{"backup-all", "--offline", "--only", c.sandbox, "--backup-dir", root}, more...)...)
}

// again is step with everything at path removed before.
func again(s step, paths ...string) step {
	s.before = func(context.Context) error {
		var failures []error
		for _, path := range paths {
			failures = append(failures, os.RemoveAll(path))
		}
		return errors.Join(failures...)
	}
	return s
}

// verify proves the newest backup of the full sandbox.
func (s *saving) verify(name string) step {
	return shellIn(name, s.env, fmt.Sprintf("%s backups verify --read-data --backup-dir %s $(ls %s/%s | tail -1)", s.program, s.root, s.root, s.full.sandbox))
}

func shellIn(name string, env []string, script string) step {
	s := shell(name, script)
	s.env = append(env, "DOCKER_HOST="+os.Getenv("DOCKER_HOST"))
	return s
}

func (s *saving) newEmpty(ctx context.Context) (err error) {
	s.empty, err = s.sandbox(ctx, s.image, "empty", true)
	return err
}

func (s *saving) dropEmpty(context.Context) error {
	s.bench.remove = s.bench.remove[:len(s.bench.remove)-1]
	return s.empty.remove()
}

// tarZstd packs what is in a folder, as plain files, to s.copy.
func (s *saving) tarZstd(name, folder string) step {
	return shell(name, fmt.Sprintf("tar -c -C %s sandbox | zstd -q -f -T0 -1 >%s; sync %s", folder, s.copy, s.copy))
}

// extract unpacks s.copy as plain files.
func (s *saving) extract() step {
	out := shell(tarExtract, fmt.Sprintf("zstd -dcq %s | tar -x --same-owner -f - -C %s; sync -f %s", s.copy, s.scratch, s.scratch))
	out.before, out.after = s.newScratch, s.dropScratch
	return out
}

func (s *saving) newScratch(context.Context) error {
	return errors.Join(os.RemoveAll(s.scratch), os.Mkdir(s.scratch, 0o700))
}

func (s *saving) dropScratch(context.Context) error { return os.RemoveAll(s.scratch) }
