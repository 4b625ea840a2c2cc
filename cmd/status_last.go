package cmd

import (
	"time"

	"github.com/spf13/pflag"

	"sandkeeper/backup/store"
	"sandkeeper/backup/watch"
)

func addMetricsFlag(f *pflag.FlagSet, file *string) {
	f.StringVar(file, "metrics", "", "write metrics for Prometheus' textfile collector to this file")
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
	if report.LastRun, err = o.app.history.lastBackup(report.Root); err != nil {
		return err
	}
	return publish("--metrics", o.metrics, report.Metrics)
}
