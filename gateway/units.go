package gateway

import (
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/internal/env"
)

// nemoclawUnit is the service that NemoClaw itself installs for its gateway.
const nemoclawUnit = "nemoclaw-openshell-gateway.service"

// Unit is a systemd service that starts a gateway, or would.
type Unit struct {
	Name    string // "openshell-gateway.service"
	User    bool   // of the user's own service manager
	Program string // of its ExecStart, with the drop-ins applied; "" when they name none by its whole path
	Enabled bool   // it is started by itself, at boot or at login
	starts  startup
}

// units are the services of this host that start a gateway on t's port, the likeliest first. Masked ones start nothing.
func (o Options) units(t Target) []Unit {
	names := []string{unitName, nemoclawUnit}
	if _, ours := nemoclawPort(t.Name); ours {
		slices.Reverse(names)
	}
	var found []Unit
	for _, name := range names {
		for _, user := range []bool{true, false} {
			if u, ok := o.unit(name, user); ok && o.wouldServe(u.starts, t.Port) {
				found = append(found, u)
			}
		}
	}

	return found
}

// unit reads a service as its manager does; false when the service is absent or masked.
func (o Options) unit(name string, user bool) (Unit, bool) {
	folders, base, specifiers := o.manager(user)
	text := o.readUnit(folders, name)
	if text == "" {
		return Unit{}, false
	}
	u := Unit{Name: name, User: user, Enabled: enabled(folders, name), starts: o.parseUnit(text, base, specifiers)}
	if len(u.starts.args) > 0 {
		// What may stand before the path changes how it is started, not what (systemd.service(5)).
		if program := strings.TrimLeft(u.starts.args[0], "-@:+!|"); filepath.IsAbs(program) {
			u.Program = program
		}
	}

	return u, true
}

// manager is where the user's or the system's manager looks for units, and what it gives them.
func (o Options) manager(user bool) (folders []string, base env.Env, specifiers map[string]string) {
	ofUser, ofSystem := o.unitFolders()
	if user {
		return ofUser, o.Env, map[string]string{"%h": o.Env.Home(), "%S": o.Env.StateHome(), "%E": o.Env.ConfigHome()}
	}
	return ofSystem, env.Env{}, map[string]string{"%h": "/root", "%S": "/var/lib", "%E": "/etc"}
}

// enabled reports whether a target wants the unit, or another unit requires it.
func enabled(folders []string, name string) bool {
	for _, dir := range folders {
		for _, kind := range []string{"*.wants", "*.requires"} {
			if links, _ := filepath.Glob(filepath.Join(dir, kind, name)); len(links) > 0 {
				return true
			}
		}
	}
	return false
}

// systemctl is the command that does verb to the unit on h.
func (u Unit) systemctl(h Host, verb string) string {
	name := strings.TrimSuffix(u.Name, ".service")
	if u.User {
		return "systemctl --user " + verb + " " + name
	}
	return h.AsRoot("systemctl " + verb + " " + name)
}

// unitOfGroup reads the unit of a process off its control group:
// "0::/user.slice/…/user@1000.service/app.slice/openshell-gateway.service".
func unitOfGroup(cgroup string) (name string, user bool) {
	for line := range strings.Lines(cgroup) {
		_, path, _ := strings.Cut(strings.TrimSpace(line), ":/")
		inUser := false
		for part := range strings.SplitSeq(path, "/") {
			switch {
			case strings.HasPrefix(part, "user@") && strings.HasSuffix(part, ".service"):
				inUser = true
			case strings.HasSuffix(part, ".service"):
				name, user = part, inUser
			}
		}

		if name != "" {
			return name, user
		}
	}
	return "", false
}
