package cmd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/pflag"

	"sandkeeper/backup"
	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/text"
	"sandkeeper/internal/ui"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
	"sandkeeper/upgrade/classify"
)

// storeOptions say where backups lie.
type storeOptions struct {
	dir      string
	lockWait time.Duration
	bucket   bucketOptions
}

func (o *storeOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.dir, "backup-dir", "", "folder of the backups (default $XDG_DATA_HOME/sandkeeper/backups)")
}

// named refuses a folder of backups that was named and is not there: one that was mistyped is no empty store.
func (o storeOptions) named(root string) error {
	if _, err := os.Stat(root); o.dir != "" && errors.Is(err, fs.ErrNotExist) {
		missing := notFound("there is no folder of backups %s", root)
		missing.Hint = "--backup-dir names the folder that backup-all --backup-dir has made; without it the user's own is looked at"
		return missing
	}
	return nil
}

// backupRun is a backup run as every command makes it; callers add what is theirs.
func (a *app) backupRun(store *store.Store, seen survey.Survey, o captureOptions, p *ui.Progress) *backup.Options {
	main, _ := seen.Engines.Main()
	run := &backup.Options{
		Store: store, Engine: main, EngineOf: seen.Engines.Of, PauseLimit: o.pauseLimit, Stall: o.stallLimit,
		Recipients: o.encryptTo, EngineWay: o.way == wayEngine,
		Versions: versionsOf(seen.Gateways, probesOf(a.host, seen.Engines)), Progress: func(e home.Event) { a.term.showProgress(p, e) },
	}
	if o.pauseLimit == 0 {
		run.PauseLimit = -1
	}
	if cli := a.host.CLI(seen.Gateways); cli != nil {
		run.CLI = cli
	}
	if a.Env.StateHome() != "" {
		run.Pauses = journal.Pauses(journal.PausedDir(a.Env.StateHome()))
		run.Guard = func() (*home.Guardian, error) { return home.StartGuard([]string{guardName}, a.Env) }
		restoring := journal.RestoringDir(a.Env.StateHome())
		run.Unfinished = func(sb sandbox.Sandbox) error { return restore.Unfinished(restoring, sb) }
	}

	return run
}

// supervisorLimit is how long a supervisor may take to tell its version for a manifest.
const supervisorLimit = 5 * time.Second

// versionsOf gives the versions that the preflight saw on a sandbox's gateway, and the supervisor's own, for its
// manifest.
func versionsOf(gateways survey.Gateways, ask classify.Probes) func(context.Context, sandbox.Sandbox) archive.Versions {
	return func(ctx context.Context, sb sandbox.Sandbox) archive.Versions {
		ctx, cancel := text.Within(ctx, supervisorLimit)
		defer cancel()
		var v archive.Versions
		if supervisor, err := ask.Supervisor(ctx, sb); err == nil {
			v.Supervisor = supervisor.String()
		}
		if sb.Row != nil {
			v.Agent = sb.Row.AgentVersion
		}
		if len(gateways) == 0 {
			return v
		}
		seen := gateways.Named(sb.Gateway).Seen
		v.CLI, v.Gateway = seen.CLI.Version.String(), seen.Evidence().Gateway().String()
		return v
	}
}

// probesOf look into the sandboxes of these engines; no gateway is asked.
func probesOf(host *survey.Host, engines engine.Engines) classify.Probes {
	return classify.Probes{Env: host.Env, UID: host.UID, Timeout: host.CommandTimeout(), Engines: engines}
}
