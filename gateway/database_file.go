package gateway

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/internal/database"
	"sandkeeper/internal/env"
)

// databaseFile is where the database of a gateway is on this host, or why that cannot be told.
type databaseFile struct {
	path     string
	why      string // without a path
	unseen   bool   // it may be here, and this user may not see where
	postgres bool

	by startup // how the gateway is started, as far as it can be seen
}

// databaseFile finds the database of gateway t. It is what t's process has open, or was told to open. Only when t does
// not run it is what the next start would open. It is never merely a file that lies where gateways keep one: that may
// be another gateway's.
func (o Options) databaseFile(ctx context.Context, t Target) databaseFile {
	if t.Remote {
		return databaseFile{why: o.elsewhere(t)}
	}
	seen := o.sight(ctx, t, o.readMarker(t))
	found := seen.any()
	switch {
	case found != nil && found.shape != compat:
		return o.databaseOfProcess(ctx, t, found)
	case found == nil && seen.err != nil:
		return databaseFile{why: fmt.Sprintf("whether gateway %q runs cannot be seen: %s", t.Name, clean(seen.err)), unseen: true}
	case found == nil && len(seen.holders) > 0:
		return databaseFile{why: fmt.Sprintf("%s holds the gateway's port: what answers there is no gateway process of this host", seen.holders[0])}
	}

	next := o.nextDatabase(t)
	if pid := o.otherGateway(ctx, next.path); pid != 0 && found == nil {
		return databaseFile{why: fmt.Sprintf("process %d, which is not gateway %q, has %s open", pid, t.Name, next.path)}
	}
	return next
}

// otherGateway is a gateway's process that has a file open.
func (o Options) otherGateway(ctx context.Context, path string) (pid int) {
	for _, pid := range database.OpenedBy(path) {
		if args, err := o.Processes.Args(ctx, pid); err == nil && identify(args, "").shape != notGateway {
			return pid
		}
	}
	return 0
}

// databaseOfProcess is the database that a running gateway has open. One that it has not opened yet is what its command
// line, its environment or their defaults name.
func (o Options) databaseOfProcess(ctx context.Context, t Target, r *running) databaseFile {
	holds := o.Processes.Holds(ctx, r.PID)
	told := o.told(t, startup{args: r.Args, env: env.Parse(holds.Env), dir: holds.Dir})
	by := told.by
	open := slices.DeleteFunc(slices.Clone(holds.Files), func(path string) bool { return !database.Is(path) })
	switch {
	case told.postgres:
		return told
	case len(open) == 1:
		return databaseFile{path: open[0], by: by}
	case len(open) > 1 && !slices.ContainsFunc(open, told.is):
		return databaseFile{why: fmt.Sprintf("process %d has several databases open: %s", r.PID, strings.Join(open, ", "))}
	case told.path == "" && holds.Err != nil:
		return databaseFile{why: fmt.Sprintf("which database process %d has open cannot be seen: %s", r.PID, clean(holds.Err)), unseen: true}
	}

	return told
}

// is reports whether path leads to the same file.
func (d databaseFile) is(path string) bool {
	one, err := os.Stat(d.path)
	other, otherErr := os.Stat(path)
	return err == nil && otherErr == nil && os.SameFile(one, other)
}

// told is the database that a start of t names, or that it opens without being told.
func (o Options) told(t Target, s startup) databaseFile {
	file := o.namedBy(t, s)
	file.by = s
	return file
}

func (o Options) namedBy(t Target, s startup) databaseFile {
	if address := s.databaseURL(); address != "" {
		return s.database(address)
	}
	if _, managed := nemoclawPort(t.Name); managed {
		return o.managedDatabase(t)
	}
	state := s.env.StateHome()
	if state == "" {
		return databaseFile{why: "the gateway was not told which database to open, and where its home is cannot be seen"}
	}
	return defaultDatabase(state)
}

// managedDatabase is the database of a gateway that NemoClaw starts: it lies beside the marker (docs/facts/nemoclaw.md
// 1.2).
func (o Options) managedDatabase(t Target) databaseFile {
	dir, why := o.stateDir(t)
	if dir == "" {
		return databaseFile{why: why}
	}
	return databaseFile{path: filepath.Join(dir, "openshell.db")}
}

// defaultDatabase is the database that a gateway opens by itself; older RPMs had it one folder up
// (docs/facts/openshell.md 1.3).
func defaultDatabase(state string) databaseFile {
	path := filepath.Join(state, "openshell/gateway/openshell.db")
	if old := filepath.Join(state, "openshell/gateway.db"); !exists(path) && exists(old) {
		path = old
	}
	return databaseFile{path: path}
}

// nextDatabase is the database that the next start of t would open: NemoClaw's of this gateway; else the one that our
// own environment or the service's unit names, if they start a gateway on t's port; else a package's own.
func (o Options) nextDatabase(t Target) databaseFile {
	if _, managed := nemoclawPort(t.Name); managed {
		return o.managedDatabase(t)
	}
	if own := (startup{env: o.Env}); own.databaseURL() != "" && o.wouldServe(own, t.Port) {
		return o.told(t, own)
	}
	if unit, ok := o.gatewayUnit(); ok && o.wouldServe(unit, t.Port) {
		return o.told(t, unit)
	}
	if o.wouldServe(startup{}, t.Port) {
		return o.packagedDatabase()
	}
	return databaseFile{why: fmt.Sprintf("gateway %q does not run, and nothing on this host says which database it is started with on port %d", t.Name, t.Port)}
}

// packagedDatabase is where the packages keep a database: the only file that is there.
func (o Options) packagedDatabase() databaseFile {
	usual := databaseFile{why: noHome}
	var paths []string
	if state := o.Env.StateHome(); state != "" {
		usual = defaultDatabase(state)
		paths = append(paths, usual.path)
	}
	for _, path := range []string{"/opt/homebrew/var/openshell/gateway/openshell.db", "/var/snap/openshell/common/gateway.db"} {
		paths = append(paths, o.system(path))
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return !exists(path) })
	switch len(paths) {
	case 0:
		return usual
	case 1:
		return databaseFile{path: paths[0]}
	}

	return databaseFile{why: "nothing says which of these databases the gateway is started with: " + strings.Join(paths, ", ")}
}

const noHome = "HOME is not set to an absolute path"
