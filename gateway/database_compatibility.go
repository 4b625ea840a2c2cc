package gateway

import (
	"fmt"
	"slices"

	"sandkeeper/drift"
)

// Compatibility says what a gateway of some version will do with a database.
type Compatibility string

// The ways in which a gateway and a database go together.
const (
	FitsNow      Compatibility = "fits"
	FitMigrates  Compatibility = "migrates"   // the gateway will bring it forward when it starts; there is no way back
	FitNewer     Compatibility = "newer"      // written by a newer OpenShell: the gateway will refuse it
	FitOtherLine Compatibility = "other-line" // of OpenShell 0.0.36 or older, whose migrations no later gateway knows
	FitOneWay    Compatibility = "one-way"    // of OpenShell 0.0.x, under a gateway of 0.1.0 or later: rewritten at its start, the sandboxes not carried
	FitHalfDone  Compatibility = "half-done"  // a migration did not end
	FitUnknown   Compatibility = "unknown"
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

// Of OpenShell 0.1.x it is known that its first migration is 7, and that migration 10 came with 0.1.9
// (docs/facts/openshell-0.1.md 4.4).
const (
	firstOfNewLine  = 7
	tenCameWith     = 9 // 0.1.9
	newestPublished = 10
)

// Compatibility judges d for a gateway of version, and says why.
func (d Database) Compatibility(version drift.Version) (Compatibility, string) {
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
		return d.fitNewLine(version)
	case generation >= firstOfNewLine:
		return FitNewer, fmt.Sprintf("it was written by OpenShell 0.1.x: it has migration %d, and gateway %s knows those up to %d", generation, version, newest)
	case generation > newest:
		return FitNewer, fmt.Sprintf("it was written by a newer OpenShell: it has migration %d, and gateway %s knows those up to %d", generation, version, newest)
	case generation < newest:
		return FitMigrates, fmt.Sprintf("gateway %s brings it forward from generation %d to %d when it starts, and there is no way back", version, generation, newest)
	}

	return FitsNow, fmt.Sprintf("gateway %s reads generation %d", version, generation)
}

// fitNewLine judges d for a gateway of 0.1.0 or later. Which migrations each of those releases knows is published in
// part.
func (d Database) fitNewLine(version drift.Version) (Compatibility, string) {
	generation := d.Generation()
	major, minor, patch := version.Numbers()
	first := major == 0 && minor == 1
	switch {
	case generation < firstOfNewLine:
		return FitOneWay, fmt.Sprintf("it was written by OpenShell 0.0.x: gateway %s rewrites it when it starts, there is no way back, and it does not carry the sandboxes over", version)
	case first && patch < tenCameWith && generation >= newestPublished, first && patch == tenCameWith && generation > newestPublished:
		return FitNewer, fmt.Sprintf("it was written by a newer OpenShell: it has migration %d, which gateway %s does not know", generation, version)
	case first && patch >= tenCameWith && generation < newestPublished:
		return FitMigrates, fmt.Sprintf("gateway %s brings it forward from generation %d to %d when it starts, and there is no way back", version, generation, newestPublished)
	case first && patch >= tenCameWith && generation == newestPublished:
		return FitsNow, fmt.Sprintf("gateway %s reads generation %d", version, generation)
	}

	return FitUnknown, fmt.Sprintf("it was written by OpenShell 0.1.x; whether gateway %s reads generation %d is not published", version, generation)
}

func (d Database) otherLine(version drift.Version, old bool) string {
	if old {
		return fmt.Sprintf("it was written by OpenShell 0.0.36 or older (migrations %s), which gateway %s cannot bring forward", d, version)
	}
	return fmt.Sprintf("it was written by OpenShell 0.0.37 or newer (migrations %s), which gateway %s cannot read", d, version)
}

// NoWayBack reports whether a database of gateway version from is known to be of a generation that gateway version to
// cannot read.
func NoWayBack(from, to drift.Version) bool {
	newest, known := newestMigration(from)
	older, also := newestMigration(to)
	if newest == 0 { // 0.1.0 and later, which nothing before reads
		return known && also && older != 0
	}
	return known && also && newest > older && older != 0
}

// newestMigration is the newest that gateways of version know; 0 for 0.1.0 and later. A development build has what its
// release will have.
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
