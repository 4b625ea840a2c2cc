package gateway

import "github.com/Masterminds/semver/v3"

// Generation is a span of OpenShell versions that speak the same wire format (docs/facts/openshell.md 3.2).
type Generation int

// The generations, oldest first, so that they can be compared.
const (
	Cluster    Generation = iota // 0.0.36 and older: id and name are fields of Sandbox itself
	Metadata                     // 0.0.37 to 0.0.52: ObjectMeta, phase in Sandbox
	Status                       // 0.0.53 to 0.0.116: phase in SandboxStatus
	Timestamps                   // 0.1.x: timestamps, page tokens, workspace selectors
)

// GenerationOf is the generation that a version belongs to; what does not parse counts as the newest.
func GenerationOf(version string) Generation {
	v, err := semver.NewVersion(version)
	switch {
	case err != nil || v.Minor() > 0 || v.Major() > 0:
		return Timestamps
	case v.Patch() <= 36:
		return Cluster
	case v.Patch() <= 52:
		return Metadata
	default:
		return Status
	}
}

// Since reports whether version is at least 0.0.patch. Within a generation RPCs and fields came one by one.
func Since(version string, patch uint64) bool {
	v, err := semver.NewVersion(version)
	return err != nil || v.Minor() > 0 || v.Major() > 0 || v.Patch() >= patch
}
