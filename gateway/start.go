package gateway

import (
	"context"
	"path/filepath"
	"strings"

	"sandkeeper/drift"
)

// restart is the command that restarts the service of the gateway's process: only the one whose control group holds it,
// and only when that service starts a gateway. A terminal's process is in the group of whatever started the terminal.
func (l *look) restart(ctx context.Context) string {
	found := l.live().found
	if found == nil || found.UID != l.UID && l.UID != 0 {
		return ""
	}
	realm := l.Processes.Realm(ctx, found.PID)
	if realm.Kind != Ours || realm.Unit == "" || realm.UserUnit && found.UID != l.UID {
		return ""
	}
	u, there := l.unit(realm.Unit, realm.UserUnit)
	if !there || filepath.Base(u.Program) != gatewayProgram && !strings.HasSuffix(u.Name, unitName) {
		return ""
	}
	return u.systemctl(Host{Root: l.UID == rootUser}, "restart")
}

// start is the command of this host's services that starts t while nothing of it runs: a unit's, Homebrew's, the
// snap's. "" when none is known: a command line that somebody typed is recorded nowhere.
func (o Options) start(t Target, h Host) string {
	switch units := o.units(t); {
	case t.Remote:
		return ""
	case len(units) > 0:
		return first(units).systemctl(h, "start")
	case !o.wouldServe(startup{}, t.Port):
		return "" // the packages' services have one port: the default, or that of gateway.toml
	case h.Brew != "":
		return "brew services start openshell"
	case h.Snap:
		return h.AsRoot("snap start openshell.gateway")
	}
	return ""
}

// first is the first unit that is enabled, else the first.
func first(units []Unit) Unit {
	for _, u := range units {
		if u.Enabled {
			return u
		}
	}
	return units[0]
}

// unitFile is the program that a service of this host would start next. A service of the live process comes first;
// others count only when they are enabled. It reports false where no service says, and the standard places do.
func (o Options) unitFile(ctx context.Context, t Target, serving string) (drift.File, bool) {
	for _, u := range o.units(t) {
		own := u.Name == nemoclawUnit
		if _, ours := nemoclawPort(t.Name); ours && !own && o.managed(t) {
			continue // NemoClaw starts its gateways itself
		}
		if !u.Enabled && u.Name != serving || u.Program == "" {
			continue
		}
		if filepath.Base(u.Program) != gatewayProgram {
			return drift.File{Path: u.Program, Evidence: unknown("%s starts %s, which is not %s itself", u.Name, u.Program, gatewayProgram)}, true
		}
		file, _ := o.fileAt(ctx, u.Program)
		return file, true
	}
	return drift.File{}, false
}

// packagedFiles are the gateways of Homebrew and of the snap, which their services start.
func (o Options) packagedFiles() []string {
	var paths []string
	for _, prefix := range brewPrefixes() {
		paths = append(paths, o.system(filepath.Join(prefix, "opt/openshell/bin", gatewayProgram)))
	}
	for _, root := range []string{"/snap/openshell/current", "/var/lib/snapd/snap/openshell/current"} {
		paths = append(paths, o.system(filepath.Join(root, "bin", gatewayProgram)), o.system(filepath.Join(root, "usr/bin", gatewayProgram)))
	}
	return paths
}
