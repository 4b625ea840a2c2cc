package preflight

import (
	"fmt"

	"sandkeeper/drift"
	"sandkeeper/gateway"
)

// why says what the evidence of a drift means. Text about a host process never speaks of images, clusters or
// containers.
func why(o gateway.Observation, i Issue) string {
	switch i.Kind {
	case drift.HostProcessDrift:
		return whyHost(o, i) + " " + behind(i)
	case drift.ServedDrift:
		return whyServed(o, i) + " " + behind(i)
	case drift.ImageDrift:
		return behind(i)
	}
	return ""
}

func whyHost(o gateway.Observation, i Issue) string {
	switch {
	case i.Source == drift.FromFile && o.Process.PID != 0:
		return fmt.Sprintf("The version of gateway process %d could not be read; this is the file that would be started next.", o.Process.PID)
	case i.Source == drift.FromFile:
		return "No running gateway could be seen; this is the file that would be started next."
	case fileIs(o, i.Installed):
		return fmt.Sprintf("Process %d still runs %s although the file on disk is %s.", i.PID, i.Running, i.Installed)
	}
	return fmt.Sprintf("Process %d runs %s.", i.PID, i.Running)
}

func whyServed(o gateway.Observation, i Issue) string {
	if !o.Cluster.Active && processIs(o, i.Installed) {
		return fmt.Sprintf("Process %d runs %s, so another gateway answers there.", o.Process.PID, i.Installed)
	}
	return "The gateway itself says so."
}

// behind names the side that is older.
func behind(i Issue) string {
	order, known := i.Installed.Compare(i.Running)
	switch {
	case !known || order == 0:
		return ""
	case i.Installed.AcrossBreak(i.Running):
		return fmt.Sprintf("%s and %s are on different sides of OpenShell 0.1.0 and cannot talk to each other.", i.Installed, i.Running)
	case order > 0:
		return "The gateway is behind the openshell CLI."
	}
	return "The openshell CLI is behind the gateway."
}

// unexplained is what can be said of a mismatch when no drift was found. It names neither images nor processes.
func unexplained(assessed drift.Assessment) string {
	if assessed.Verdict == drift.Pass {
		return "CLI and gateway are of the same version, so a stored sandbox of another version is the likely cause."
	}
	return "The versions of CLI and gateway could not be compared."
}

func fileIs(o gateway.Observation, version drift.Version) bool {
	return o.File.State == drift.Known && o.File.Version.Same(version)
}

func processIs(o gateway.Observation, version drift.Version) bool {
	return o.Process.State == drift.Known && o.Process.Version.Same(version)
}
