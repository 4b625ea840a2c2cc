package gateway

import (
	"context"
	"sync"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
)

// The probes' codes, in the order shown to people; docs/checks.md has a section for each.
const (
	ProbeCLI     = "cli-version"
	ProbeEngine  = "container-engine"
	ProbeCluster = "cluster-container"
	ProbeMarker  = "runtime-marker"
	ProbeProcess = "host-process"
	ProbeFile    = "gateway-file"
	ProbePort    = "endpoint-port"
	ProbeServed  = "served-version"
)

// Observe looks at everything that can tell which gateway is there and which version it has. All probes start together;
// the whole takes as long as the slowest and ends within o.ProbeTimeout and a moment. It never fails: what could not be
// seen is unknown, with the reason. Nothing is changed, and nothing is executed that another user could have written.
func Observe(ctx context.Context, o Options) Observation {
	o = o.filled()
	o.asked = &asked{}
	limit := text.As(context.DeadlineExceeded, "not seen within %s", o.ProbeTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, o.ProbeTimeout, limit)
	defer cancel()
	l := newLook(ctx, o, ChooseTarget(ctx, o))
	seen := Observation{Target: l.target}
	if l.target.Err != nil {
		for _, p := range l.probes() {
			p.look = func(context.Context) finding { return p.blind(clean(l.target.Err)) }
			runProbes(ctx, []probe{p}, &seen)
		}
		return seen
	}

	seen.Host = o.hostFacts(l.target)
	runProbes(ctx, l.probes(), &seen)
	if seen.Port.Afar != "" {
		seen.Host.Start = ""
	}
	seen.contained()
	seen.Host.CallOpenShell = o.called("openshell", seen.CLI.Path)
	return seen
}

// look is one observation under way: what several probes need is found out once, by whoever needs it first.
type look struct {
	Options
	target  Target
	cli     func() (*openshell.CLI, error)
	marker  func() Marker
	engines func() engine.Engines
	status  func() servedAnswer
	live    func() sighting
}

func newLook(ctx context.Context, o Options, t Target) *look {
	l := &look{Options: o, target: t}
	l.cli = sync.OnceValues(func() (*openshell.CLI, error) {
		path, err := openshell.Resolve(ctx, o.Env, o.UID)
		return &openshell.CLI{Path: path, Env: o.Env, UID: o.UID, Timeout: o.ProbeTimeout}, err
	})
	l.marker = sync.OnceValue(func() Marker { return o.readMarker(t) })
	l.engines = sync.OnceValue(func() engine.Engines {
		if o.Engines != nil {
			return o.Engines(ctx)
		}
		dialing := engine.Dialing{Env: o.Env, MarkerHost: l.marker().DockerHost, Timeout: o.EngineTimeout, Root: o.Root, UID: o.UID}
		opened := engine.Open(ctx, dialing)
		context.AfterFunc(ctx, func() { _ = opened.Close() })
		return opened
	})
	l.status = sync.OnceValue(func() servedAnswer {
		cli, err := l.cli()
		return o.askStatus(ctx, t, cli, err)
	})
	l.live = sync.OnceValue(func() sighting { return o.sight(ctx, t, l.marker()) })
	return l
}

func (l *look) probes() []probe {
	return []probe{
		{ProbeCLI, l.lookCLI, func(why string) finding { return foundCLI(CLI{Evidence: unknown("%s", why)}) }},
		{ProbeEngine, l.lookEngine, func(why string) finding {
			return foundEngine(engine.State{State: drift.Unknown, Why: why}, nil)
		}},
		{ProbeCluster, l.lookCluster, func(why string) finding {
			c := Cluster{}
			c.Evidence = unknown("%s", why)
			return foundCluster(c)
		}},
		{ProbeMarker, l.lookMarker, func(why string) finding {
			return foundMarker(Marker{State: MarkerInvalid, Reason: why})
		}},
		{ProbeProcess, l.lookProcess, func(why string) finding {
			return foundProcess(drift.Process{Evidence: unknown("%s", why)})
		}},
		{ProbeFile, l.lookFile, func(why string) finding { return foundFile(drift.File{Evidence: unknown("%s", why)}) }},
		{ProbePort, l.lookPort, func(why string) finding {
			return foundPort(Port{State: drift.Unknown, Why: why, Number: l.target.Port})
		}},
		{ProbeServed, l.lookServed, func(why string) finding {
			s := Served{Detail: why}
			s.Evidence = unknown("%s", why)
			return foundServed(s)
		}},
	}
}

// contained takes away what is no evidence of a gateway that a container runs: processes and files of this host.
func (o *Observation) contained() {
	if !o.Cluster.Active || !o.Cluster.Gateway || o.Process.PID != 0 {
		return
	}
	why := absent("the gateway runs in container %q", o.Cluster.Container)
	o.Process, o.File = drift.Process{Evidence: why}, drift.File{Evidence: why}
}
