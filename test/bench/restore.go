package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	restoreEmpty = "sandkeeper restore -y --to an empty sandbox"
	restoreOver  = "sandkeeper restore -y over the same content (keeps a copy of it first)"
	resticBack   = "restic restore; sync -f (plain files)"
	borgBack     = "borg extract; sync -f (plain files)"
)

// restore measures how a home comes back, beside who only unpacks.
func (b *bench) restore(ctx context.Context, r *section) error {
	s, err := b.saved(ctx, r)
	if s == nil || err != nil {
		return err
	}
	tools := s.tools(r, "restore")
	if err := s.savedOnce(ctx, tools); err != nil {
		return err
	}
	var down []time.Duration
	empty, over := s.restoreInto(restoreEmpty, "empty"), s.restoreInto(restoreOver, "full")
	empty.before, empty.after = s.newEmpty, s.dropEmpty
	over.read = func(out []byte) error { return readDown(out, &down) }
	steps := []step{empty, over, s.extract()}
	for _, t := range tools {
		steps = append(steps, s.restoring(map[string]string{"restic": resticBack, "borg": borgBack}[t.name], t))
	}
	samples, err := rounds(ctx, b.rounds, b.enough, steps, b.say)
	if err != nil {
		return err
	}
	r.restore(samples, down)
	return errors.Join(dropTools(tools), os.RemoveAll(s.root), os.RemoveAll(s.copy))
}

// savedOnce makes a backup of the full sandbox, and of the plain files with every tool.
func (s *saving) savedOnce(ctx context.Context, tools []tool) error {
	steps := []step{again(s.backup("backup", s.root), s.root), s.tarZstd("tar", s.plain)}
	for _, t := range tools {
		steps = append(steps, t.init, t.save(t.name, s.plain))
	}
	return unmeasured(ctx, steps...)
}

// restoreInto restores the newest backup of the full sandbox to the sandbox of that name.
func (s *saving) restoreInto(name, to string) step {
	return s.sandkeeper(name, s.env, "restore", s.full.sandbox, "-y", "--to", named(to).sandbox, "--backup-dir", s.root, "--json")
}

// readDown takes from a restore's answer how long its sandbox was stopped.
func readDown(answer []byte, down *[]time.Duration) error {
	var said struct {
		Result struct {
			Way    string `json:"way"`
			DownMs int64  `json:"downMs"`
		} `json:"result"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return err
	}
	if said.Result.Way != "direct" {
		return fmt.Errorf("the restore took another way than the direct one:\n%s", answer)
	}
	*down = append(*down, time.Duration(said.Result.DownMs)*time.Millisecond)
	return nil
}
