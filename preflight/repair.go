package preflight

import (
	"fmt"
	"slices"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/internal/text"
)

// managed reports whether NemoClaw looks after this gateway and is here to repair it.
func (g guidance) managed() bool { return g.o.Host.Managed && g.o.Host.NemoClaw != "" }

// onboard is NemoClaw's repair; it picks its gateway by the port in the environment (docs/facts/nemoclaw.md 1.6).
func (g guidance) onboard() string {
	command := text.ShellWord(or(g.o.Host.CallNemoClaw, "nemoclaw")) + " onboard --resume"
	port, ok := strings.CutPrefix(g.o.Target.Name, "nemoclaw-")
	if !ok || strings.Trim(port, "0123456789") != "" {
		return command
	}
	return "NEMOCLAW_GATEWAY_PORT=" + port + " " + command
}

// align says how the two sides come to one version, the usual way first. A gateway is never told to go back: its
// database is migrated forward only (docs/facts/openshell.md 4.4).
func (g guidance) align() string {
	if g.cliBehind() {
		return fmt.Sprintf("bring the openshell CLI to %s, the gateway's version", g.issue.Running)
	}
	return fmt.Sprintf("bring the gateway to %s%s", or(g.issue.Installed.String(), "the CLI's version"), g.alternative())
}

// alternative is the other way to agreement.
func (g guidance) alternative() string {
	if !g.issue.Running.Known() {
		return ""
	}
	return fmt.Sprintf(", or bring the openshell CLI to the gateway's version, %s", g.issue.Running)
}

func (g guidance) cliBehind() bool {
	return g.issue.Installed.Older(g.issue.Running)
}

func (g guidance) upgradeCLI() string {
	text := fmt.Sprintf("Bring the openshell CLI to %s, the gateway's version", g.issue.Running)
	if gateway.NoWayBack(g.issue.Running, g.issue.Installed) {
		text += fmt.Sprintf(" (its database has no way back to %s)", g.issue.Installed)
	}
	return text
}

// host repairs a gateway that is a process of this host.
func (g guidance) host() []string {
	if g.cliBehind() {
		return []string{g.upgradeCLI() + "."}
	}
	if fileIs(g.o, g.issue.Installed) {
		return slices.Concat(g.downtime(), []string{g.restart()})
	}
	return slices.Concat([]string{"Bring both to one version: " + g.align() + "."}, g.downtime(), []string{g.restart()})
}

// downtime comes before what stops a gateway that serves: its sandboxes stop with it (docs/facts/openshell.md 5.1,
// docs/facts/real-gateway.md 1, docs/facts/openshell-0.1.md 1.2). That began with the host process of 0.0.37.
func (g guidance) downtime() []string {
	const first = 37
	serves := g.o.Process.PID != 0 || g.o.Served.State == drift.Known || g.o.Cluster.Gateway && g.o.Cluster.Active
	if !serves || !g.issue.Running.Since(first) {
		return nil
	}
	return []string{"Choose a moment for the next step: sandboxes that run stop with the gateway, and start again with it."}
}

// restart names the one way in which this gateway is started on this host.
func (g guidance) restart() string {
	command := serviceCommand(g.o)
	switch {
	case command != "" && command == g.o.Host.Start:
		return fmt.Sprintf("Start the gateway: `%s`.", command)
	case command != "":
		return fmt.Sprintf("Restart the gateway: `%s`.", command)
	}

	pid, binary := g.o.Process.PID, launchPath(g.o)
	switch {
	case pid != 0 && g.o.Stranger != "":
		return fmt.Sprintf("Gateway process %d belongs to %s: have that user, or root, stop it and start it again (%s).", pid, g.o.Stranger, or(binary, "host-process gateway"))
	case pid != 0 && g.o.File.State == drift.Absent && g.o.Process.Binary != "":
		return fmt.Sprintf("Stop gateway process %d and start the installed one, the way this one was started; %s is no longer on disk.", pid, or(binary, "its file"))
	case pid == 0 && g.o.Served.State == drift.Known:
		return fmt.Sprintf("Restart the gateway that answers at %s through what started it: its service manager, script or terminal.", or(g.issue.Endpoint, "its endpoint"))
	case pid == 0 && binary == "":
		return "Start the gateway the way it is started on this host."
	case pid == 0:
		return fmt.Sprintf("Start the gateway, %s, the way it is started on this host.", binary)
	case g.o.Marker.State == gateway.MarkerLive && g.o.Marker.PID == pid:
		return fmt.Sprintf("Stop gateway process %d with `kill %d`, then start %s the way it was started.", pid, pid, or(binary, "the gateway"))
	}

	return fmt.Sprintf("Restart gateway process %d (%s) through what started it: its service manager, script or terminal.", pid, or(binary, "host-process gateway"))
}

// serviceCommand restarts the service that owns the gateway's process, or starts the service that would serve while
// nothing does. "" when there is no such service.
func serviceCommand(o gateway.Observation) string {
	binary := o.Process.Binary
	from := func(prefixes ...string) bool {
		for _, prefix := range prefixes {
			if strings.HasPrefix(binary, prefix) {
				return true
			}
		}
		return binary == ""
	}
	switch {
	case o.Target.Remote || o.Port.Afar != "":
		return ""
	case o.Process.PID == 0 && o.Served.State != drift.Known:
		return o.Host.Start
	case o.Process.PID != 0 && o.Host.Restart != "":
		return o.Host.Restart
	case o.Stranger == "" && o.Host.Brew != "" && from("/opt/homebrew/", "/home/linuxbrew/", "/usr/local/"):
		return "brew services restart openshell"
	case o.Host.Snap && from("/snap/"):
		return o.Host.AsRoot("snap restart openshell.gateway")
	}
	return ""
}

// launchPath is the file that a start would run: the one found on disk, else the path by which the process was known.
func launchPath(o gateway.Observation) string {
	if o.File.Path != "" {
		return text.ShellWord(o.File.Path)
	}
	if path := strings.TrimSuffix(o.Process.Binary, " (deleted)"); path != "" {
		return text.ShellWord(path)
	}
	return ""
}
