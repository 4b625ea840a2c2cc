package preflight

import (
	"context"
	"fmt"

	"sandkeeper/drift"
	"sandkeeper/gateway"
)

// database compares the generation of the gateway's database with the gateway that runs and with the gateway that would
// be started next: what the second one cannot read is found before it fails on it.
func (in HostInput) database(ctx context.Context) Result {
	if in.Database == nil {
		return skipping("not looked at")
	}
	d := in.Database(ctx)
	switch {
	case d.Postgres:
		return skipping("OPENSHELL_DB_URL names a PostgreSQL server, which this program does not ask")
	case d.State == drift.Absent:
		return skipping("none on this host" + reason(d.Why))
	case d.State != drift.Known:
		return warning("", "the database could not be read: "+d.Why+". Do not delete it; keep a copy before anything is tried")
	}

	next := in.Next()
	if !next.Known() {
		return warned("%s has generation %d (migrations %s); no gateway's version is known to compare it with", d.Path, d.Generation(), d)
	}
	fit, why := d.Compatibility(next)
	return in.judgeFit(d, fit, why)
}

// Next is the version of the gateway that would be started next, else of the running one.
func (in HostInput) Next() drift.Version {
	if in.Seen.File.State == drift.Known && in.Seen.File.Version.Known() {
		return in.Seen.File.Version
	}
	return in.Seen.Evidence().Gateway()
}

func (in HostInput) judgeFit(d gateway.Database, fit gateway.Compatibility, why string) Result {
	switch fit {
	case gateway.FitsNow:
		return passed("%s: %s", d.Path, why)
	case gateway.FitMigrates:
		return passed("%s: %s; backup-all keeps a copy", d.Path, why)
	case gateway.FitNewer, gateway.FitOtherLine:
		r := failing(in.saveFirst(), fmt.Sprintf("%s: %s, so it will not start. Start the OpenShell that wrote it; do not delete the database", d.Path, why))
		r.Kind = databaseKind(fit)
		return r
	case gateway.FitOneWay:
		r := failing(in.saveFirst(), fmt.Sprintf("%s: %s. Save every sandbox before that gateway is started", d.Path, why))
		r.Kind = databaseKind(fit)
		return r
	case gateway.FitHalfDone:
		r := failing(in.saveFirst(), fmt.Sprintf("%s: %s; the gateway will not start before a copy from before it is put back. Do not delete the database", d.Path, why))
		r.Kind = databaseKind(fit)
		return r
	}
	return warned("%s has generation %d; %s", d.Path, d.Generation(), why)
}

// databaseKind is what a script is told of a database that its gateway cannot start on.
func databaseKind(fit gateway.Compatibility) string {
	if fit == gateway.FitNewer {
		return "database_newer"
	}
	return "migration_incompatible_db"
}
