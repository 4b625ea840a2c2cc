package main

import (
	"context"
	"errors"
	"os"
)

const (
	tarZstd      = "tar | zstd -T0 -1 >file; sync file (plain files)"
	first        = "sandkeeper backup-all --offline: first backup"
	second       = "sandkeeper backup-all --offline: second, nothing changed"
	verify       = "sandkeeper backups verify --read-data"
	resticFirst  = "restic backup: first (plain files)"
	resticSecond = "restic backup: second, nothing changed"
	borgFirst    = "borg create -C zstd,1: first (plain files)"
	borgSecond   = "borg create: second, nothing changed"
)

// first measures a first backup of one running sandbox, a second one and a look at it, on the direct way, beside what
// others do with the same bytes.
func (b *bench) first(ctx context.Context, r *section) error {
	s, err := b.saved(ctx, r)
	if s == nil || err != nil {
		return err
	}
	tools := s.tools(r, "first")
	steps := []step{again(s.backup(first, s.root), s.root), s.tarZstd(tarZstd, s.plain)}
	for _, t := range tools {
		steps = append(steps, t.init, t.save(map[string]string{"restic": resticFirst, "borg": borgFirst}[t.name], s.plain))
	}
	steps = append(steps, s.backup(second, s.root))
	for _, t := range tools {
		steps = append(steps, t.save(map[string]string{"restic": resticSecond, "borg": borgSecond}[t.name], s.plain))
	}
	steps = append(steps, s.verify(verify), shell(zstdTest, "zstd -q -t "+s.copy))
	for _, t := range tools {
		steps = append(steps, t.check)
	}
	samples, err := rounds(ctx, b.rounds, b.enough, steps, b.say)
	if err != nil {
		return err
	}
	sizes, err := s.firstSizes(tools)
	if err != nil {
		return err
	}
	r.first(samples, sizes, dataOf(b.part))
	return errors.Join(dropTools(tools), os.RemoveAll(s.root), os.RemoveAll(s.copy))
}

// firstSizes are what lies on disk after the last round, by step.
func (s *saving) firstSizes(tools []tool) (sizes map[string]int64, err error) {
	sizes = map[string]int64{}
	series := s.root + "/" + s.full.sandbox
	if sizes[second], err = diskUse(series); err != nil {
		return nil, err
	}
	if sizes[first], err = firstSize(series); err != nil {
		return nil, err
	}
	if sizes[tarZstd], err = fileSize(s.copy); err != nil {
		return nil, err
	}
	for _, t := range tools {
		if sizes[map[string]string{"restic": resticFirst, "borg": borgFirst}[t.name]], err = diskUse(t.folder); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}
