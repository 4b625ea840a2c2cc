package wire

import "sandkeeper/drift"

// Generation is a span of OpenShell versions that speak the same wire format (docs/facts/openshell.md 3.2).
type Generation int

// The generations, oldest first.
const (
	Unknown    Generation = iota // no version, or one newer than this program: read with care, never written to
	Cluster                      // 0.0.36 and older: id and name are fields of Sandbox itself
	Metadata                     // 0.0.37 to 0.0.52: ObjectMeta; the phase in Sandbox
	Status                       // 0.0.53 to 0.0.116: the phase in SandboxStatus
	Timestamps                   // 0.1.x: timestamps, page tokens, workspace selectors
)

// String names the versions of the generation.
func (g Generation) String() string {
	switch g {
	case Cluster:
		return "0.0.36 and older"
	case Metadata:
		return "0.0.37 to 0.0.52"
	case Status:
		return "0.0.53 to 0.0.116"
	case Timestamps:
		return "0.1.x"
	}
	return "unknown"
}

// Version is the version of a gateway, as far as it decides how to talk to it.
type Version struct {
	Text       string // as the gateway reports it
	Generation Generation
	patch      uint64 // the N of 0.0.N
}

// VersionOf reads a version. 0.0.0 is a build without a version (docs/facts/openshell.md 1.1), so it says nothing.
func VersionOf(text string) Version {
	v, _ := drift.Parse(text)
	major, minor, patch := v.Numbers()
	if !v.Known() || major > 0 || minor > 1 {
		return Version{Text: text}
	}
	version := Version{Text: text, patch: patch}
	switch {
	case minor == 1:
		version.Generation = Timestamps
	case patch <= 36:
		version.Generation = Cluster
	case patch <= 52:
		version.Generation = Metadata
	default:
		version.Generation = Status
	}

	return version
}

// Since reports whether the version is known to be 0.0.patch or newer. Within a generation fields and RPCs came one by
// one.
func (v Version) Since(patch uint64) bool {
	return v.Generation == Timestamps || v.Generation != Unknown && v.patch >= patch
}
