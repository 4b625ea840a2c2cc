package cmd

import (
	"errors"
	"time"

	"github.com/spf13/pflag"

	"sandkeeper/backup/store"
	"sandkeeper/backup/watch"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/runlog"
)

func addMetricsFlag(f *pflag.FlagSet, file *string) {
	f.StringVar(file, "metrics", "", "write metrics for Prometheus' textfile collector to this file")
}

// lastBackup is the last backup-all into the store at root that this user's history has; nil when it has none.
func (a *app) lastBackup(root string) (*runlog.Record, error) {
	if a.Env.StateHome() == "" {
		return nil, nil
	}
	runs, err := a.history()
	for _, r := range runs {
		if r.Command == "backup-all" && (r.Root == root || r.Root == "") { // a run that was refused has no result that names the store
			return &r, err
		}
	}
	return nil, err
}

// history is the history of this user's runs; root with somebody's HOME has none.
func (a *app) history() ([]runlog.Record, error) {
	runs, err := runlog.Read(runlog.File(a.Env.StateHome()))
	if errors.Is(err, runlog.ErrNotOurs) {
		a.term.note("%v", err)
		return nil, nil
	}
	return runs, err
}

// publishMetrics writes the metrics of status after a backup run, as far as that has seen the sandboxes.
func (o *backupAllOptions) publishMetrics(st *store.Store) error {
	host := o.app.host
	report, err := watch.Look(watch.Question{
		Store: st, Inventory: o.seen, Complete: o.seen.Source != "" && o.seen.Partial == nil, Gateway: host.Gateway, Workspace: host.Workspace, Now: time.Now(),
	})
	if err != nil {
		return err
	}
	if report.LastRun, err = o.app.lastBackup(report.Root); err != nil {
		return err
	}
	return disk.Publish(o.metrics, report.Metrics)
}
