package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The steps of a round, named as the report shows them.
const (
	rawCopy      = "docker cp - >/dev/null"
	dockerZstd   = "docker cp - | zstd -T0 -1 | tee >(sha256sum) >file; sync file"
	tarZstd      = "tar | zstd -T0 -1 >file; sync file (plain files)"
	first        = "sandkeeper backup-all --offline: first backup"
	second       = "sandkeeper backup-all --offline: second, nothing changed"
	verify       = "sandkeeper backups verify --read-data"
	restoreEmpty = "sandkeeper restore -y --to an empty sandbox"
	restoreOver  = "sandkeeper restore -y over the same content (keeps a copy of it first)"
	zstdTest     = "zstd -t"
	tarExtract   = "zstd -dc | tar x; sync -f (plain files)"
	dockerIn     = "zstd -dc | docker cp - to an empty container"
	resticInit   = "restic init"
	resticFirst  = "restic backup: first (plain files)"
	resticSecond = "restic backup: second, nothing changed"
	resticCheck  = "restic check --read-data"
	resticBack   = "restic restore; sync -f (plain files)"
)

// saving is what the backup steps work on.
type saving struct {
	*bench
	image   string
	full    container // runs, and holds the data set
	env     []string
	copy    string // what docker cp | zstd writes
	plain   string // the data set as plain files
	scratch string // emptied before each step that fills it
	empty   container
}

// backups measures the backup of one running sandbox in its container beside what others do with the same bytes.
func (b *bench) backups(ctx context.Context, r *report) error {
	if why := lacksDocker(ctx); why != "" {
		r.lacks("a Docker engine: no backup was measured", why)
		return nil
	}
	s := &saving{bench: b, copy: filepath.Join(b.dir, "copy.tar.zst"), plain: filepath.Join(b.dir, "plain"), scratch: filepath.Join(b.dir, "scratch")}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	var steps []step
	var again step
	if !s.onlyDay {
		steps = append(s.ours(), s.engines()...)
	}
	if !installed("restic") {
		r.lacks("restic (Debian: restic)", "it is not installed")
	} else {
		if !s.onlyDay {
			steps = append(steps, s.restic()...)
		}
		again = s.resticCall(resticSecond, "backup", s.plain)
	}

	if !installed("borg") {
		r.lacks("borg (Debian: borgbackup)", "it is not installed")
	}
	day := s.newDay(again)
	steps = append(steps, day.steps()...)
	samples, err := rounds(ctx, b.rounds, b.enough, steps, b.say)
	if err != nil {
		return err
	}
	r.day(samples, day.added)
	if s.onlyDay {
		return nil
	}
	sizes, err := s.sizes()
	if err != nil {
		return err
	}
	r.backups(samples, sizes, dataOf(b.part))
	return nil
}

func (s *saving) prepare(ctx context.Context) (err error) {
	data := dataOf(s.part)
	s.say(fmt.Sprintf("making the data set: %d files, %d bytes", data.files(), data.bytes()))
	home := filepath.Join(s.dir, "backups-home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	s.env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	if s.image, err = s.bench.image(ctx); err != nil {
		return err
	}
	if s.full, err = s.sandbox(ctx, s.image, "full", true); err != nil {
		return err
	}
	if err := s.fill(ctx, data, s.full); err != nil {
		return err
	}
	if err := s.unpack(ctx, data, s.plain); err != nil {
		return err
	}
	// Everything is read once before anything is measured, and nothing is left to be written behind our back.
	_, err = shell("warm up", fmt.Sprintf("docker cp %s:/sandbox - >/dev/null; tar -c %s >/dev/null; sync", s.full.name, s.plain)).run(ctx)
	return err
}

// backup is one backup of the full sandbox.
func (s *saving) backup(name string) step {
	return s.sandkeeper(name, s.env, "backup-all", "--offline", "--only", s.full.sandbox, "--backup-dir", filepath.Join(s.dir, "root"))
}

// ours are the steps of sandkeeper, and those that lie beside them.
func (s *saving) ours() []step {
	root := filepath.Join(s.dir, "root")
	whole := s.backup(first)
	whole.before = func(context.Context) error { return os.RemoveAll(root) }
	toEmpty := s.sandkeeper(restoreEmpty, s.env, "restore", s.full.sandbox, "-y", "--to", named("empty").sandbox, "--backup-dir", root)
	toEmpty.before, toEmpty.after = s.newEmpty, s.dropEmpty
	over := s.sandkeeper(restoreOver, s.env, "restore", s.full.sandbox, "-y", "--backup-dir", root)
	return []step{
		whole, s.backup(second), s.verifyOne(root), toEmpty, over,
	}
}

// verifyOne proves one backup: the second, which is the first one's bytes, is the same work again.
func (s *saving) verifyOne(root string) step {
	return shellIn(verify, s.env, fmt.Sprintf("%s backups verify --read-data --backup-dir %s $(ls %s/%s | tail -1)", s.program, root, root, s.full.sandbox))
}

func shellIn(name string, env []string, script string) step {
	s := shell(name, script)
	s.env = append(env, "DOCKER_HOST="+os.Getenv("DOCKER_HOST"))
	return s
}

func (s *saving) newEmpty(ctx context.Context) (err error) {
	s.empty, err = s.sandbox(ctx, s.image, "empty", false)
	return err
}

func (s *saving) dropEmpty(context.Context) error {
	s.bench.remove = s.bench.remove[:len(s.bench.remove)-1]
	return s.empty.remove()
}

// engines are the same work by tar, zstd and docker.
func (s *saving) engines() []step {
	in := shell(dockerIn, fmt.Sprintf("zstd -dcq %s | docker cp - %s:/", s.copy, named("empty").name))
	in.before, in.after = s.newEmpty, s.dropEmpty
	out := shell(tarExtract, fmt.Sprintf("zstd -dcq %s | tar -x --no-same-owner -f - -C %s; sync -f %s", s.copy, s.scratch, s.scratch))
	out.before, out.after = s.newScratch, s.dropScratch
	return []step{
		shell(rawCopy, fmt.Sprintf("docker cp %s:/sandbox - >/dev/null", s.full.name)),
		shell(dockerZstd, fmt.Sprintf("docker cp %s:/sandbox - | zstd -q -T0 -1 | tee >(sha256sum >%s.sha256) >%s; sync %s", s.full.name, s.copy, s.copy, s.copy)),
		shell(tarZstd, fmt.Sprintf("tar -c -C %s sandbox | zstd -q -T0 -1 >%s.plain; sync %s.plain", s.plain, s.copy, s.copy)),
		shell(zstdTest, "zstd -q -t "+s.copy), out, in,
	}
}

func (s *saving) newScratch(context.Context) error {
	return errors.Join(os.RemoveAll(s.scratch), os.Mkdir(s.scratch, 0o700))
}

func (s *saving) dropScratch(context.Context) error { return os.RemoveAll(s.scratch) }

func (s *saving) resticCall(name string, args ...string) step {
	env := append(os.Environ(), "RESTIC_PASSWORD=bench", "RESTIC_REPOSITORY="+filepath.Join(s.dir, "restic"), "RESTIC_CACHE_DIR="+filepath.Join(s.dir, "restic-cache"))
	return step{name: name, argv: append([]string{"restic", "-q"}, args...), env: env}
}

// restic is a whole life of a restic repository.
func (s *saving) restic() []step {
	repository, call := filepath.Join(s.dir, "restic"), s.resticCall
	initial := call(resticInit, "init")
	initial.before = func(context.Context) error {
		return errors.Join(os.RemoveAll(repository), os.RemoveAll(repository+"-cache"))
	}
	back := shell(resticBack, fmt.Sprintf("restic -q restore latest --target %s; sync -f %s", s.scratch, s.scratch))
	back.env, back.before, back.after = initial.env, s.newScratch, s.dropScratch
	return []step{
		initial, call(resticFirst, "backup", s.plain), call(resticSecond, "backup", s.plain), call(resticCheck, "check", "--read-data"), back,
	}
}

// sizes are what lies on disk after the last round, by step.
func (s *saving) sizes() (map[string]int64, error) {
	sizes := map[string]int64{}
	both, err := diskUse(filepath.Join(s.dir, "root", s.full.sandbox))
	if err != nil {
		return nil, err
	}
	sizes[second] = both
	for name, path := range map[string]string{dockerZstd: s.copy, tarZstd: s.copy + ".plain"} {
		if sizes[name], err = fileSize(path); err != nil {
			return nil, err
		}
	}

	if installed("restic") {
		if sizes[resticFirst], err = diskUse(filepath.Join(s.dir, "restic")); err != nil {
			return nil, err
		}
	}

	sizes[first], err = firstSize(filepath.Join(s.dir, "root", s.full.sandbox))
	return sizes, err
}
