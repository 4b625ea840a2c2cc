package preflight

import (
	"context"
	"fmt"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/gateway"
	"sandkeeper/openshell"
)

// Checks are what Judge reports of an observation, in the order shown. They look at o alone, so running them is
// instant; each says how long its probe took. Callers append checks of their own.
func Checks(o gateway.Observation) []Check {
	return []Check{
		observed(o, "cli-version", "the openshell CLI tells its version", checkCLI),
		observed(o, "container-engine", "the container engine answers, where there is one", checkEngine),
		observed(o, "cluster-container", "it is known whether a cluster container is the gateway", checkCluster),
		observed(o, "runtime-marker", "the runtime marker tells of a live gateway", checkMarker),
		observed(o, "host-process", "the version of the live gateway process is known", checkProcess),
		observed(o, "gateway-file", "the version of the gateway's file on disk is known", checkFile),
		observed(o, "endpoint-port", "the port of the gateway's endpoint is held by the gateway, or by what leads to it", checkPort),
		observed(o, "served-version", "the gateway answers with its version", checkServed),
		needing(observed(o, "schema-agreement", "CLI and gateway are of one version", checkAgreement), "cli-version"),
	}
}

func observed(o gateway.Observation, code, title string, look func(gateway.Observation) Result) Check {
	return Check{Code: code, Title: title, Run: func(context.Context) Result {
		r := look(o)
		r.TookMs = tookMs(o.Probes, code)
		return r
	}}
}

func needing(c Check, codes ...string) Check {
	c.Needs = codes
	return c
}

func tookMs(probes []gateway.Probe, code string) int64 {
	for _, probe := range probes {
		if probe.Code == code {
			return probe.Took.Milliseconds()
		}
	}
	return 0
}

func passed(format string, args ...any) Result {
	return Result{Status: Pass, Detail: fmt.Sprintf(format, args...)}
}

func warned(format string, args ...any) Result {
	return Result{Status: Warn, Detail: fmt.Sprintf(format, args...)}
}

func checkCLI(o gateway.Observation) Result {
	switch path := or(o.CLI.Path, "openshell"); {
	case o.CLI.State == drift.Known && o.CLI.Version.Known():
		return passed("%s is %s", path, o.CLI.Version)
	case o.CLI.State == drift.Known:
		return warned("%s calls itself %q, which is not the version of a release", path, o.CLI.Version.String())
	case o.CLI.State == drift.Unknown:
		return warned("the version of %s is unknown%s", path, reason(o.CLI.Why))
	}
	return Result{Status: Fail, Detail: "no openshell CLI was found" + reason(whereLooked(o.CLI.Why))}
}

func checkEngine(o gateway.Observation) Result {
	if o.Silent != "" {
		return warned("%s answers; %s", o.Engine.Host, o.Silent)
	}
	switch o.Engine.State {
	case drift.Known:
		return passed("%s answers (API %s)", o.Engine.Host, or(o.Engine.APIVersion, "unknown"))
	case drift.Unknown:
		if o.Engine.Host != "" && strings.HasPrefix(o.Engine.Why, o.Engine.Host) || strings.HasPrefix(o.Engine.Why, engine.MayNotOpen) {
			return warned("%s", o.Engine.Why) // it names the address and where that is from
		}
		return warned("%s does not answer%s", or(o.Engine.Host, "the container engine"), reason(o.Engine.Why))
	}
	return passed("none on this host%s", reason(o.Engine.Why))
}

func checkCluster(o gateway.Observation) Result {
	c := o.Cluster
	switch {
	case !c.Active && c.Gateway:
		return warned("container %q (image %q) answers at port %d, and not as gateway %q", c.Container, c.Image, o.Port.Number, o.Target.Name)
	case c.Active && c.State != drift.Known:
		return warned("container %q is the gateway; its image %q tells no version", c.Container, c.Image)
	case c.Active:
		return passed("container %q is the gateway and runs image %q (%s)", c.Container, c.Image, c.Version)
	case c.State == drift.Unknown && c.Image == "":
		return warned("unknown%s", reason(c.Why))
	case c.Image == "":
		return passed("none%s", reason(c.Why))
	case c.Running:
		return passed("container %q runs image %q but is not this gateway, so it is no evidence", c.Container, c.Image)
	}
	return passed("container %q with image %q is stopped, so it is no evidence", c.Container, c.Image)
}

func checkMarker(o gateway.Observation) Result {
	switch o.Marker.State {
	case gateway.MarkerLive:
		return passed("%s names live process %d", o.Marker.Path, o.Marker.PID)
	case gateway.MarkerStale, gateway.MarkerInvalid:
		return warned("%s is %s and ignored%s", o.Marker.Path, o.Marker.State, reason(o.Marker.Reason))
	}
	return passed("none%s", reason(or(o.Marker.Reason, o.Marker.Path)))
}

func checkProcess(o gateway.Observation) Result {
	p := o.Process
	switch {
	case p.State == drift.Known:
		return passed("process %d runs %s (%s)", p.PID, or(p.Version.String(), "an unknown version"), or(p.Binary, "host-process gateway"))
	case p.State == drift.Unknown && p.PID != 0:
		return warned("the version of process %d (%s) is unknown%s", p.PID, or(p.Binary, "host-process gateway"), reason(p.Why))
	case p.State == drift.Unknown:
		return warned("unknown whether one runs%s", reason(p.Why))
	}
	return passed("none%s", reason(p.Why))
}

func checkFile(o gateway.Observation) Result {
	switch o.File.State {
	case drift.Known:
		return passed("%s is %s", or(o.File.Path, "the gateway's file"), or(o.File.Version.String(), "of an unknown version"))
	case drift.Unknown:
		return warned("the version of %s is unknown%s", or(o.File.Path, "the gateway's file"), reason(o.File.Why))
	}
	return passed("none%s", reason(o.File.Why))
}

// whereLooked leaves out of why there is no CLI that there is none: the check has said so.
func whereLooked(why string) string {
	if places, said := strings.CutPrefix(why, openshell.ErrNotFound.Error()+" ("); said {
		return strings.TrimSuffix(places, ")")
	}
	return why
}
