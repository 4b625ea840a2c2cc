package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sandkeeper/internal/disk"
)

// WriteProposal writes the proposal of a new gateway.toml beside the old file, unless there is one. What lies there and
// differs is somebody's work, and stays.
func WriteProposal(config Config, plan *ConfigPlan) error {
	if plan == nil || len(plan.Changes) == 0 {
		return nil
	}
	proposal, err := ProposeConfig(config.Content)
	if err != nil {
		return err
	}
	path := ProposalPath(config.Path)
	there, err := disk.ReadPlain(path, 1<<20)
	switch {
	case err == nil && !bytes.Equal(there, proposal.Text):
		plan.Proposed = path
		return fmt.Errorf("%s is there and says something else than what would be proposed now: it is left alone", path)
	case err == nil:
		plan.Proposed = path
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the proposed gateway.toml was not written: %w", err)
	}

	if err := writeNew(path, proposal.Text); err != nil {
		return fmt.Errorf("the proposed gateway.toml was not written: %w", err)
	}
	plan.Proposed = path
	return nil
}

// writeNew makes a file, whole or not at all: half a proposal would pass for somebody's work from then on.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
