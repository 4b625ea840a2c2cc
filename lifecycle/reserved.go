package lifecycle

import (
	"cmp"
	"strings"
)

const (
	// reservedPrefix begins the labels by which OpenShell's drivers find their own containers (openshell.ai/managed-by,
	// …): a label added there could make one sandbox pass for another.
	reservedPrefix = "openshell.ai/"
	// reservedEnv begins the variables by which a driver tells its supervisor who and where it is
	// (docs/facts/openshell.md 5.1).
	reservedEnv = "OPENSHELL_"
	// usualHome is the home of a sandbox whose request does not say otherwise (docs/facts/openshell.md 5.1).
	usualHome = "/sandbox"
)

// reserved reports whether the addition would stand where the driver puts what it cannot do without.
func (a Addition) reserved(home string) bool {
	switch a.Kind {
	case "env":
		return strings.HasPrefix(a.Key, reservedEnv)
	case "mount":
		return reservedTarget(a.Key, cmp.Or(home, usualHome))
	default:
		return strings.HasPrefix(a.Key, reservedPrefix)
	}
}

// reservedTarget reports whether a mount at target would hide the home, or hide, replace or reach into what the driver
// mounts: folders of OpenShell's own (docs/facts/openshell.md 5.1). A mount below the home is fine.
func reservedTarget(target, home string) bool {
	if within(home, target) {
		return true
	}
	for _, own := range []string{
		"/opt/openshell", "/etc/openshell", "/etc/openshell-tls", "/run/openshell", "/run/openshell-sidecar", "/run/netns", "/var/run/netns", "/.openshell",
	} {
		if within(own, target) || within(target, own) {
			return true
		}
	}
	return false
}

// within reports whether a clean absolute path is folder or lies below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}
