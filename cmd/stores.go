package cmd

import (
	"cmp"
	"errors"
	"path/filepath"
	"syscall"

	"sandkeeper/backup/store"
	"sandkeeper/internal/env"
	"sandkeeper/internal/text"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// stores opens the backups of this host, and those that a bucket has.
type stores struct {
	term *terminal
	host *survey.Host
	dir  string // where backups are, also for a command without --backup-dir; "" is the default
}

// root is --backup-dir, or its default below the data home.
func (s *stores) root(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	if s.term.Env.DataHome() == "" {
		return "", usage("give --backup-dir", "there is no home to keep backups in (HOME is not set to an absolute path)")
	}
	return filepath.Join(s.term.Env.DataHome(), "sandkeeper", "backups"), nil
}

// flag is what a command that is printed needs beside to find the backups in dir; "" where it looks there anyway.
func (s *stores) flag(dir string) string {
	root, err := s.root(dir)
	usual, usualErr := s.root("")
	if dir == "" || err == nil && usualErr == nil && root == usual {
		return ""
	}
	return " --backup-dir " + text.ShellWord(cmp.Or(root, dir))
}

// place is what a command that is printed needs beside to find the backups that o names: in a folder, or in a bucket.
// --store-host alone is a setting of the nightly run.
func (s *stores) place(o storeOptions) (words string) {
	if o.bucket.address == "" {
		return s.flag(o.dir)
	}
	words = " --store " + text.ShellWord(o.bucket.address)
	if o.bucket.host != "" {
		words += " --store-host " + text.ShellWord(o.bucket.host)
	}
	return words
}

// open opens the folder of backups. It is made by the first backup.
func (s *stores) open(o storeOptions) (*store.Store, error) {
	root, err := s.root(o.dir)
	if err != nil {
		return nil, err
	}
	s.term.note("backups are looked for in %s", root)
	st, err := store.Open(root, store.Options{Tool: version().Version, UID: s.term.UID, Keys: s.keys()})
	return st, rootFailure(err)
}

// rootFailure is for a folder of backups that cannot be used: what was named is none, or is not to be trusted, as the
// check backup-root says.
func rootFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return usage("sandkeeper preflight --backup-dir FOLDER shows whether a folder will do", "%w", err)
	}
	return &Failure{Code: ExitRefused, Kind: "check_failed", Err: err, Hint: "sandkeeper preflight --backup-dir FOLDER shows whether a folder will do"}
}

// keys is the folder of the keys by which this host adds to encrypted backups; "" without a home.
func (s *stores) keys() string {
	if stateDir(s.term.Env) == "" {
		return ""
	}
	return filepath.Join(stateDir(s.term.Env), "store-keys")
}

// recorded names the gateway of a sandbox by its newest backup; nil without a store.
func (s *stores) recorded(o storeOptions) func(name, id string) string {
	st, err := s.open(o)
	if err != nil {
		return nil
	}
	return st.GatewayOf
}

// address takes a name as people write it apart, "workspace/name"; without a workspace, that of --workspace is meant.
func (s *stores) address(written string) (workspace, name string) {
	workspace, name = sandbox.ParseAddress(written)
	return cmp.Or(workspace, s.host.Workspace), name
}

// written is a name as people wrote it, with the workspace of --workspace: what a command that is printed has to name.
func (s *stores) written(name string) string { return sandbox.Address(s.address(name)) }

// find is the backup with that id, under the name of the sandbox that is meant.
func (s *stores) find(st *store.Store, workspace, name, id string) (store.Backup, error) {
	b, err := st.Find(name, id)
	if missing, ok := errors.AsType[*store.NotFoundError](err); ok {
		missing.Sandbox = sandbox.Address(workspace, missing.Sandbox)
	}
	return b, err
}

// latest is the newest backup of the sandbox that is meant. A name that is that of several sandboxes needs a word more.
func (s *stores) latest(st *store.Store, workspace, name string) (store.Backup, error) {
	b, err := st.LatestOn(s.host.Gateway, workspace, name)
	if several, ok := errors.AsType[*store.SeveralError](err); ok {
		first := several.Series[0]
		hint := "add -g " + first.Gateway
		if several.Series[1].Workspace != first.Workspace {
			hint = "write the workspace as well: " + first.Workspace + "/" + first.Name
		}
		return b, usage(hint+", or --backup ID from: sandkeeper backups list "+name, "%w", err)
	}
	return b, err
}

// stateDir is the folder of what sandkeeper itself keeps: journals of pauses, restores and upgrades, the store of extensions.
// It is "" without a home.
func stateDir(e env.Env) string {
	if e.StateHome() == "" {
		return ""
	}
	return filepath.Join(e.StateHome(), "sandkeeper")
}
