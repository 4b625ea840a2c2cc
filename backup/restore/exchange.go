package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/text"
)

// exchange is a restore on the direct way. The new home is made beside the container's writable layer while the sandbox
// runs, and proved; then the container is stopped, the two folders change places in one step of the kernel's, and it is
// started again. So the home is whole at every moment, old or new, and what fails before the exchange has changed
// nothing.
type exchange struct {
	*containerPlace
	at    engine.OnHost
	plan  journal.Exchange
	owner owner // of the home as it is
	then  map[string]entryFacts
	above map[string]bool // the folders above them
	wants []string        // entries of the old home that are in no backup
	done  bool            // the exchange was made
	half  bool            // a part of the old home is not back in its volume
	lost  bool            // somebody started the container while it was, and it could not be taken back

	sync   func(folder *os.File) error // tests; else (*os.File).Sync
	rename func(from, to string) error // tests; else noReplace
}

// Reasons for which a restore that could have taken the direct way takes the engine's, before anything was changed.
var (
	errNoExchange = errors.New("no exchange is possible")
	errHalfDone   = fmt.Errorf("%w: an earlier restore was killed while the engine wrote", errNoExchange)
)

// run replaces the home. An error before the exchange leaves everything as it was.
func (x *exchange) run(ctx context.Context, j *restoreJob, c engine.Container, mark *restoreMark) error {
	j.summary.Way = archive.WayDirect
	if err := x.stage(j, c, mark); err != nil {
		x.drop(j)
		mark.entry.Exchange = nil
		return err
	}

	err := x.fill(ctx, j)
	if err == nil {
		err = x.whileStopped(ctx, j, c, mark)
	}
	if !x.done {
		x.drop(j)
		return err
	}
	mark.kept = true
	if x.lost {
		return err
	}
	j.summary.Done = true
	j.told()
	if kept := x.keepOld(ctx, j); kept != nil {
		return errors.Join(err, fmt.Errorf("the new home is in place; what was there before is not yet a backup and is kept in %s, the next run tries again: %w", x.plan.Stage, kept))
	}
	mark.kept = false
	x.drop(j)
	return err
}

// stage journals the folder in which the new home is made, before there is one, and makes it.
func (x *exchange) stage(j *restoreJob, c engine.Container, mark *restoreMark) error {
	tail, err := j.tail()
	if err != nil {
		return err
	}
	x.plan.Stage = filepath.Join(x.plan.Beside(), journal.ExchangePrefix+tail)
	before := j.before(c)
	before.Way = archive.WayDirect
	if x.plan.Before, err = json.Marshal(before); err != nil {
		return err
	}
	mark.entry.Exchange = &x.plan
	if err := mark.write(); err != nil {
		return err
	}
	return x.makeStage()
}

// whileStopped is all that the sandbox has to be stopped for.
func (x *exchange) whileStopped(ctx context.Context, j *restoreJob, c engine.Container, mark *restoreMark) (err error) {
	if mark.entry.Running {
		began := time.Now()
		defer func() { j.summary.DownMs = time.Since(began).Milliseconds() }()
		j.meter.Enter(home.StageStopping)
		mark.stopped = true
		defer func() {
			if !x.half { // an agent that starts on that makes it worse
				err = errors.Join(err, x.start(ctx, j, c, mark))
			}
		}()
		if err := x.stop(ctx, j, c, mark); err != nil {
			return err
		}
		mark.entry.Stopping = false
	}

	if err := x.settled(ctx); err != nil {
		return err
	}
	if err := x.carry(ctx, j); err != nil {
		return err
	}
	if err := x.prepare(); err != nil {
		return err
	}
	if err := mark.write(); err != nil {
		return err
	}
	turned := x.turn()
	if !x.done {
		return turned
	}
	return errors.Join(turned, x.undisturbed(ctx, j, mark))
}

// settleTime is how long a container that was stopped may take until its layers are mounted nowhere any more.
const settleTime = 15 * time.Second

// settled waits until the container is proved stopped: the engine says so, and no overlay of its writable layer is
// mounted on this host.
func (x *exchange) settled(ctx context.Context) error {
	ctx, cancel := text.Within(ctx, settleTime)
	defer cancel()
	for {
		err := x.stopped(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("container %s is not proved to be stopped: %w", x.ID[:12], err)
		case <-time.After(home.ThawRetry):
		}
	}
}

func (x *exchange) stopped(ctx context.Context) error {
	c, err := x.Engine.Inspect(ctx, x.ID)
	switch {
	case err != nil:
		return err
	case c.Running() || c.Paused():
		return errors.New("the engine says that it runs")
	}
	return unmounted(x.plan.Upper)
}

// undisturbed looks whether the container was stopped all the while. Where that cannot be proved, it may hold on to the
// old home: it is stopped, and everything is put back.
func (x *exchange) undisturbed(ctx context.Context, j *restoreJob, mark *restoreMark) error {
	disturbed := x.stopped(ctx)
	if disturbed == nil {
		return nil
	}
	ctx, cancel := text.Within(context.WithoutCancel(ctx), bringBackLimit)
	defer cancel()
	disturbed = fmt.Errorf("container %s is not proved to have been stopped while the homes changed places: %w", x.ID[:12], disturbed)
	err := x.halt(ctx, j, mark)
	if err == nil {
		err = x.settled(ctx)
	}
	if err == nil {
		err = x.turn()
	}
	if x.done {
		x.lost = true
		return fmt.Errorf("%w; stop it, and run any command of sandkeeper: the home from before is in %s until then: %w", disturbed, x.plan.Stage, err)
	}
	return errors.Join(fmt.Errorf("%w; %w", disturbed, ErrPutBack), err)
}

// keepOld makes a backup of the home from before, which lies in the stage now. Whoever interrupts the restore by then
// is told that it was done: the home is the new one.
func (x *exchange) keepOld(ctx context.Context, j *restoreJob) error {
	j.meter.Enter(home.StageSaving)
	b, err := saveExchanged(context.WithoutCancel(ctx), j.kept(), x.plan, x.Dir, j.meter)
	if err == nil && b.ID != "" {
		j.summary.Previous = b.ID
		if j.Keep != nil {
			j.summary.KeptIn = j.Keep.Root()
		}
	}
	return err
}

// saveExchanged makes the backup of what an exchange took away. There is none of a home that was empty.
func saveExchanged(ctx context.Context, into *store.Store, plan journal.Exchange, dir string, m *home.Meter) (store.Backup, error) {
	old, err := openExchanged(plan, dir)
	if err != nil || old == nil {
		return store.Backup{}, err
	}
	defer old.Close()
	var manifest archive.Manifest
	if err := json.Unmarshal(plan.Before, &manifest); err != nil {
		return store.Backup{}, err
	}
	return into.Create(ctx, store.NewBackup{Manifest: manifest}, func(ctx context.Context, a *archive.Archive) error {
		_, err := old.Capture(ctx, a, nil, m)
		for _, name := range plan.Mounts {
			a.Omit(name, "something is mounted there, and was left as it is")
		}
		return err
	})
}

// drop removes the stage, with whatever is in it by now.
func (x *exchange) drop(j *restoreJob) {
	if err := removeStage(x.plan); err != nil {
		j.summary.Warnings = append(j.summary.Warnings, fmt.Sprintf("%s could not be removed, and nobody needs it: %v", x.plan.Stage, err))
	}
}

// before is the manifest of the backup of what a restore replaces.
func (j *restoreJob) before(c engine.Container) archive.Manifest {
	m := archive.Manifest{
		Sandbox: j.Target.Name, SandboxID: j.Target.ID, Gateway: j.Target.Gateway, Workspace: j.Target.Workspace,
		Label: archive.LabelBeforeRestore, Agent: home.AgentOf(j.Target), Home: j.summary.Home, Container: c.Name,
		Image: archive.Image{Reference: c.Image, Digest: c.ImageID}, Consistency: archive.ConsistencyStopped,
	}
	if c.ID == "" {
		m.Consistency, m.ConsistencyReason = archive.ConsistencyLive, "it can only be read through its gateway, while it runs"
	}
	return m
}
