package cmd

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"sandkeeper/backup"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/internal/text"
	"sandkeeper/internal/ui"
	"sandkeeper/survey"
	"sandkeeper/upgrade"
)

// upgrading is an upgrader with what must be closed behind it.
type upgrading struct {
	*upgrade.Upgrader
	store      *store.Store
	gateways   *driver.Gateways
	extensions *extensionChain // nil without any
}

func (u *upgrading) close() error {
	return errors.Join(u.Journal.Close(), u.gateways.Close(), u.extensions.close())
}

// upgrader wires everything that an upgrade works with.
func (o *upgradeOptions) upgrader(ctx context.Context, seen upgradeSurvey, rebuilder upgrade.Rebuilder) (u *upgrading, err error) {
	a := o.app
	if seen.engine == nil {
		return nil, &Failure{Code: ExitRefused, Kind: "check_failed", Err: errors.New("there is no container engine to keep the old sandboxes in"), Hint: noEngineHint}
	}
	if stateDir(a.Env) == "" {
		return nil, usage("set HOME or XDG_STATE_HOME", "there is no home to keep the upgrade journal in")
	}
	u = &upgrading{gateways: &driver.Gateways{Open: a.host.Connect(seen.Gateways), Added: a.extensions.additions()}}
	if u.store, err = a.stores.openToChange(ctx, o.store); err != nil {
		return nil, err
	}
	if err := o.capture.mayBePlain(u.store.Root()); err != nil {
		return nil, err
	}
	content, err := o.content(u, seen)
	if err != nil {
		return nil, err
	}
	journal, err := upgrade.OpenJournal(stateDir(a.Env), time.Now)
	if err != nil {
		return nil, journalFailure(err)
	}
	u.Upgrader = &upgrade.Upgrader{
		Journal: journal, Engine: seen.engine, Content: content, Recipes: u.gateways, Driver: u.gateways.Driver, Lister: u.gateways.Lister, NemoClaw: rebuilder,
		Providers: u.gateways.MissingProviders, Keeper: u.gateways, Room: seen.engine.RoomToCommit, Switch: u.gateways,
		StoreFlags: o.storeFlags(u.store.Root(), o.identity), Rehearsals: o.rehearsals(), Settle: o.settleTime(), ReadyLimit: o.readyLimit, PullStall: o.capture.stallLimit, Progress: o.say,
	}
	if err := o.chain(ctx, u, seen.Gateways); err != nil {
		return nil, errors.Join(err, u.close())
	}
	return u, nil
}

// storeFlags are the flags by which a restore finds backups below root, and opens them.
func (o *upgradeOptions) storeFlags(root, identity string) string {
	flags := o.app.stores.flag(root)
	if identity != "" {
		flags += " --identity " + text.ShellWord(identity)
	}
	return flags
}

func (o *upgradeOptions) rehearsals() upgrade.RehearsalKind {
	switch {
	case o.noRehearsal:
		return upgrade.NoRehearsal
	case o.rehearseFull:
		return upgrade.FullRehearsal
	}
	return upgrade.IdleRehearsal
}

// settleTime is the flag's value; an upgrader takes 0 for its default.
func (o *upgradeOptions) settleTime() time.Duration {
	if o.settle == 0 {
		return -1
	}
	return o.settle
}

// say tells that a sandbox has come to a step.
func (o *upgradeOptions) say(name string, step upgrade.Step, detail string) {
	text := string(step)
	if detail != "" {
		text += " (" + ui.Clean(detail) + ")"
	}
	o.app.term.stage(name, text)
}

// content is where homes are saved: the same run that backup-all makes, without pauses of its own, for the sandboxes
// are stopped.
func (o *upgradeOptions) content(u *upgrading, seen upgradeSurvey) (*upgrade.Backups, error) {
	a := o.app
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	content := &upgrade.Backups{
		Store: u.store, Engine: seen.engine, Identities: identities, Stall: o.capture.stallLimit,
		EngineWay: o.capture.way == wayEngine,
		Restoring: filepath.Join(stateDir(a.Env), "upgrade-restoring"),
		Run: func() *backup.Options {
			run := a.backupRun(u.store, seen.Survey, o.capture, nil)
			run.Label, run.Progress = "before an upgrade", nil // the stage lines are the progress
			run.Recipe, run.SkippedChecks = u.gateways.Told, o.skip.codes
			return run
		},
	}
	if cli := a.host.CLI(seen.Gateways); cli != nil {
		content.CLI = cli
	}
	return content, nil
}

// nemoclaw is the nemoclaw command, when it can rebuild.
func (o *upgradeOptions) nemoclaw(ctx context.Context, seen upgradeSurvey) upgrade.Rebuilder {
	path := nemoclawPath(seen.Gateways)
	if path == "" {
		return nil
	}
	command, err := upgrade.FindRebuild(ctx, o.app.Env, o.app.UID, path)
	switch {
	case errors.Is(err, upgrade.ErrNoRebuild):
		o.app.term.warn("nemoclaw is not used: %v", err)
		return nil
	case err != nil:
		o.app.term.warn("nemoclaw cannot be used: %v", err)
		return upgrade.SilentNemoClaw{Err: err}
	}

	return command
}

// chain puts the configured extensions around every create and delete, after it has finished what an earlier run left
// of them.
func (o *upgradeOptions) chain(ctx context.Context, u *upgrading, gateways survey.Gateways) (err error) {
	u.extensions, err = o.app.extensions.begin(ctx, u.gateways, gateways)
	if u.extensions != nil {
		u.Chain = u.extensions.Chain
	}
	return err
}
