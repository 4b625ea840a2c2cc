package gateway

import (
	"fmt"
	"slices"

	"sandkeeper/drift"
)

// Fit says what a gateway of some version will do with a database.
type Fit string

// The ways in which a gateway and a database go together.
const (
	FitsNow      Fit = "fits"
	FitMigrates  Fit = "migrates"   // the gateway will bring it forward when it starts; there is no way back
	FitNewer     Fit = "newer"      // written by a newer OpenShell: the gateway will refuse it
	FitOtherLine Fit = "other-line" // of OpenShell 0.0.36 or older, whose migrations no later gateway knows
	FitHalfDone  Fit = "half-done"  // a migration did not end
	FitUnknown   Fit = "unknown"
)

// generation says which migrations the gateways from a version on know (docs/facts/openshell.md 4.4).
type generation struct {
	from   uint64 // the N of 0.0.N
	newest int
}

func generations() []generation {
	return []generation{{88, 6}, {44, 5}, {37, 4}, {1, 3}}
}

// clusterLine is the last migration of the cluster generation; 0.0.37 rewrote the first one and dropped the others.
const clusterLine = 3

// Fit judges d for a gateway of version, and says why. What is published of 0.1.0 and later does not tell which migrations those
// gateways know, so no database is called too new for them.
func (d Database) Fit(version drift.Version) (Fit, string) {
	newest, known := newestMigration(version)
	generation := d.Generation()
	old := slices.Contains(d.Migrations, 2) || slices.Contains(d.Migrations, 3)
	oldGateway := newest == clusterLine
	switch {
	case d.State != drift.Known || generation == 0:
		return FitUnknown, "its generation is unknown"
	case len(d.Unfinished) > 0:
		return FitHalfDone, fmt.Sprintf("migration %d was begun and did not end", d.Unfinished[0])
	case !known:
		return FitUnknown, fmt.Sprintf("which generations gateway %s reads is not known", version)
	case old != oldGateway:
		return FitOtherLine, d.otherLine(version, old)
	case newest == 0:
		return FitUnknown, fmt.Sprintf("which generations gateway %s reads is not published", version)
	case generation > newest:
		return FitNewer, fmt.Sprintf("it was written by a newer OpenShell: it has migration %d, and gateway %s knows those up to %d", generation, version, newest)
	case generation < newest:
		return FitMigrates, fmt.Sprintf("gateway %s brings it forward from generation %d to %d when it starts, and there is no way back", version, generation, newest)
	}
	return FitsNow, fmt.Sprintf("gateway %s reads generation %d", version, generation)
}

func (d Database) otherLine(version drift.Version, old bool) string {
	if old {
		return fmt.Sprintf("it was written by OpenShell 0.0.36 or older (migrations %s), which gateway %s cannot bring forward", d, version)
	}
	return fmt.Sprintf("it was written by OpenShell 0.0.37 or newer (migrations %s), which gateway %s cannot read", d, version)
}

// newestMigration is the newest that gateways of version know; 0 for 0.1.0 and later. A development build has what its release will
// have.
func newestMigration(version drift.Version) (int, bool) {
	if version.Stable() {
		return 0, true
	}
	for _, g := range generations() {
		if version.Since(g.from) {
			return g.newest, true
		}
	}
	return 0, false
}
