package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

const (
	rawCopy         = "docker cp - >/dev/null"
	dockerZstd      = "docker cp - | zstd -T0 -1 | tee >(sha256sum) >file; sync file"
	dockerIn        = "zstd -dc | docker cp - to an empty container"
	engineFirst     = "sandkeeper backup-all --offline --way engine: first backup"
	engineIntoEmpty = "sandkeeper restore -y --way engine --to an empty sandbox"
)

// engine measures the way that every engine has, also a remote one.
func (b *bench) engine(ctx context.Context, r *section) error {
	s, err := b.saved(ctx, r)
	if s == nil || err != nil {
		return err
	}
	into := s.sandkeeper(engineIntoEmpty, s.env, "restore", s.full.sandbox, "-y", "--way", "engine", "--to", named("empty").sandbox, "--backup-dir", s.root)
	into.before, into.after = s.newEmpty, s.dropEmpty
	in := shell(dockerIn, fmt.Sprintf("zstd -dcq %s | docker cp - %s:/", s.copy, named("empty").name))
	in.before, in.after = s.newEmpty, s.dropEmpty
	samples, err := rounds(ctx, b.rounds, b.enough, []step{
		shell(rawCopy, fmt.Sprintf("docker cp %s:/sandbox - >/dev/null", s.full.name)),
		shell(dockerZstd, fmt.Sprintf("docker cp %s:/sandbox - | zstd -q -T0 -1 | tee >(sha256sum >%s.sha256) >%s; sync %s", s.full.name, s.copy, s.copy, s.copy)),
		again(s.backup(engineFirst, s.root, "--way", "engine"), s.root), in, into,
	}, b.say)
	if err != nil {
		return err
	}
	sizes := map[string]int64{}
	if sizes[dockerZstd], err = fileSize(s.copy); err != nil {
		return err
	}
	if sizes[engineFirst], err = firstSize(s.root + "/" + s.full.sandbox); err != nil {
		return err
	}
	r.engine(samples, sizes, dataOf(b.part))
	return errors.Join(os.RemoveAll(s.root), os.RemoveAll(s.copy))
}
