package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/command"
	"sandkeeper/internal/env"
	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/trust"
)

// rebuildLimit ends a rebuild by NemoClaw that does not end: it builds images.
const rebuildLimit = 2 * time.Hour

// NemoClawCommand is the nemoclaw command of this host. It is a Rebuilder.
type NemoClawCommand struct {
	path string
	uid  int
	env  env.Env
}

// FindRebuild returns the command at path if it is to be trusted and its help has `rebuild` (docs/facts/nemoclaw.md
// 10.5).
func FindRebuild(ctx context.Context, e env.Env, uid int, path string) (*NemoClawCommand, error) {
	n := &NemoClawCommand{path: path, uid: uid, env: e}
	result, err := n.run(ctx, command.Command{Args: []string{"--help"}, Timeout: command.DefaultTimeout})
	if err != nil {
		return nil, err
	}
	if !strings.Contains(result.Combined(), "rebuild") {
		return nil, fmt.Errorf("%s: %w", path, ErrNoRebuild)
	}
	return n, nil
}

// ErrNoRebuild is said of a NemoClaw whose help was read, and has no rebuild.
var ErrNoRebuild = errors.New("it has no command to rebuild a sandbox")

// SilentNemoClaw stands for a nemoclaw command that is there and did not say whether it rebuilds. What it manages is
// not rebuilt behind its back, on a guess. It is a Rebuilder.
type SilentNemoClaw struct{ Err error }

// Rebuild says why there is none.
func (n SilentNemoClaw) Rebuild(context.Context, string, string) (exit int, err error) {
	return -1, n.Err
}

func (n *NemoClawCommand) run(ctx context.Context, c command.Command, environment ...string) (command.Result, error) {
	if err := trust.Executable(n.path, n.uid); err != nil {
		return command.Result{}, err
	}
	c.Path, c.Env = n.path, n.env.Child(append(environment, "NO_COLOR=1", "NEMOCLAW_NON_INTERACTIVE=1")...)
	return command.Run(ctx, c)
}

// Rebuild runs `nemoclaw <name> rebuild --yes` to its end, also when ctx ends meanwhile: killed half way it leaves more
// to repair. All it prints is in the new file log, mode 0600.
func (n *NemoClawCommand) Rebuild(ctx context.Context, name, log string) (exit int, err error) {
	if err := sandboxname.Check(name); err != nil || strings.HasPrefix(name, "-") {
		return -1, errors.Join(fmt.Errorf("%q cannot be given to nemoclaw", name), err)
	}
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return -1, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	rebuild := command.Command{Args: []string{name, "rebuild", "--yes"}, Stdout: file, Timeout: rebuildLimit}
	result, err := n.run(context.WithoutCancel(ctx), rebuild, rebuildMark+log)
	if len(result.Stderr) > 0 {
		_, writeErr := fmt.Fprintf(file, "\n--- standard error ---\n%s", result.Stderr)
		err = errors.Join(err, writeErr)
	}
	return result.Exit, err
}

// rebuild lets NemoClaw replace the sandbox, unless a run that was killed has come so far, and looks at what it made.
func (j *job) rebuild(ctx context.Context) error {
	record, found, err := j.listed(ctx)
	if err != nil {
		return err
	}
	if !found || record.ID == j.OldID {
		if j.NemoClaw == nil {
			return errors.New("there is no nemoclaw command to rebuild it")
		}
		return j.within(ctx, j.runRebuild)
	}

	if err := j.adopt(ctx, record); err != nil {
		return err
	}
	j.NewID = record.ID
	return j.replaced(ctx)
}

func (j *job) runRebuild(ctx context.Context) error {
	j.Log = filepath.Join(j.Journal.Dir(), fmt.Sprintf("rebuild-%s-%s.log", j.Name, j.Run))
	if err := j.doom(); err != nil {
		return err
	}
	exit, err := j.NemoClaw.Rebuild(ctx, j.Name, j.Log)
	if err := j.rebuilt(context.WithoutCancel(ctx), exit, err); err != nil {
		return fmt.Errorf("%w; what it printed is in %s", err, j.Log)
	}
	return nil
}

// rebuilt judges by looking: the exit status is zero also where NemoClaw left work undone (docs/facts/nemoclaw.md
// 10.5), and may be another where a new sandbox is there all the same.
func (j *job) rebuilt(ctx context.Context, exit int, trouble error) error {
	ended := fmt.Sprintf("nemoclaw rebuild ended with exit status %d", exit)
	record, found, err := j.listed(ctx)
	switch {
	case err != nil:
		return errors.Join(trouble, err)
	case !found:
		return errors.Join(fmt.Errorf("%s, and its gateway does not list the sandbox any more", ended), trouble)
	case record.ID == j.OldID:
		return errors.Join(fmt.Errorf("%s, and the sandbox is the old one still", ended), trouble)
	case exit != 0 || trouble != nil:
		j.warn(fmt.Sprintf("%s; a new sandbox is there", ended))
	}

	j.NewID = record.ID
	return j.replaced(ctx)
}

func (j *job) replaced(ctx context.Context) error {
	c, err := j.newContainer(ctx)
	if err == nil && c.ID == j.OldContainer {
		err = fmt.Errorf("its gateway lists it anew, and it still runs in the old container %q", c.Name)
	}
	return err
}

// IncompleteError says that NemoClaw's rebuild left out some of the agent's state. The new sandbox stays: what is
// missing may be meant, and the backup and the rollback image hold it.
type IncompleteError struct {
	Name, Backup string
	StoreFlags   string // of the command that brings it
	Missing      []string
}

// Error names what is missing and the command that brings it.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("sandbox %q was rebuilt, but of its agent's state there is missing: %s; `sandkeeper restore %s --backup %s --scope state%s` brings it",
		e.Name, few(e.Missing), e.Name, e.Backup, e.StoreFlags)
}

// compareState looks whether the state that NemoClaw carries over has arrived. It may have been migrated, so only what
// is missing counts.
func (j *job) compareState(ctx context.Context) error {
	c, err := j.newContainer(ctx)
	if err != nil {
		return err
	}
	j.leftBehind(ctx, c)
	found, err := j.Content.Compare(ctx, j.sandbox(j.NewID, c), j.Backup, true)
	if err != nil {
		j.warn(fmt.Sprintf("its state could not be compared with backup %s: %v", j.Backup, err))
		return nil
	}
	if len(found.Missing) > 0 {
		return &IncompleteError{Name: j.Address(), Backup: j.Backup, StoreFlags: j.StoreFlags, Missing: found.Missing}
	}
	return nil
}

// leftBehind says what of the home outside of the agent's state NemoClaw has not carried over: it never does, and the
// backup has it.
func (j *job) leftBehind(ctx context.Context, c engine.Container) {
	found, err := j.Content.Compare(ctx, j.sandbox(j.NewID, c), j.Backup, false)
	switch {
	case err != nil:
		j.warn(fmt.Sprintf("its home could not be compared with backup %s: %v", j.Backup, err))
	case len(found.Missing) > 0:
		j.warn(fmt.Sprintf("nemoclaw carries over the agent's state alone; of the rest of the home there is missing, and in backup %s: %s", j.Backup, few(found.Missing)))
	}
}
