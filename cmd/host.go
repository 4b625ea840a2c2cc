package cmd

import (
	"path/filepath"
	"time"

	"sandkeeper/internal/command"
)

// backupRoot is --backup-dir, or its default below the data home.
func (a *app) backupRoot(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	if a.Env.DataHome() == "" {
		return "", usage("give --backup-dir", "there is no home to keep backups in (HOME is not set)")
	}
	return filepath.Join(a.Env.DataHome(), "sandkeeper", "backups"), nil
}

// stateDir holds the journal of paused containers and of upgrades; "" without a home.
func (a *app) stateDir() string {
	if a.Env.StateHome() == "" {
		return ""
	}
	return filepath.Join(a.Env.StateHome(), "sandkeeper")
}

// commandTimeout is how long a single foreign command may take.
func (a *app) commandTimeout() time.Duration {
	if a.host.ProbeTimeout > 0 {
		return a.host.ProbeTimeout
	}
	return command.DefaultTimeout
}

// recorded names the gateway of a sandbox by its newest backup; nil without a store.
func (a *app) recorded(o storeOptions) func(name, id string) string {
	st, err := a.openStore(o)
	if err != nil {
		return nil
	}
	return st.GatewayOf
}
