package gateway

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/openshell"
)

func (l *look) lookCLI(ctx context.Context) finding {
	cli, err := l.cli()
	switch {
	case errors.Is(err, openshell.ErrNotFound):
		return foundCLI(CLI{Evidence: absent("%w", err)})
	case err != nil:
		return foundCLI(CLI{Evidence: unknown("%w", err)})
	}

	version, err := cli.Version(ctx)
	if err != nil {
		return foundCLI(CLI{Path: cli.Path, Evidence: unknown("%w", err)})
	}
	return foundCLI(CLI{Path: cli.Path, Evidence: drift.Evidence{State: drift.Known, Version: version}})
}

func (l *look) lookEngine(ctx context.Context) finding {
	engines := l.engines()
	_, state := engines.Main()
	if len(engines.All()) == 0 {
		return foundEngine(state, nil)
	}
	containers, err := engines.Sandboxes(ctx)
	if partial, ok := errors.AsType[*engine.PartialError](err); ok && state.State == drift.Known {
		found := foundEngine(state, containers)
		put := found.put
		found.put = func(o *Observation) { put(o); o.Silent = clean(partial) }
		return found
	}

	if err != nil && state.State == drift.Known {
		state.State, state.Why = drift.Unknown, clean(err)
	}
	return foundEngine(state, containers)
}

func (l *look) lookCluster(ctx context.Context) finding {
	if why := l.afar(); why != "" {
		c := Cluster{}
		c.Evidence = absent("%s", why)
		return foundCluster(c)
	}
	return foundCluster(l.cluster(ctx))
}

func (l *look) lookMarker(context.Context) finding {
	if l.target.Remote {
		return foundMarker(Marker{State: MarkerAbsent, Reason: l.elsewhere(l.target)})
	}
	return foundMarker(l.live().marker)
}

func (l *look) lookProcess(ctx context.Context) finding {
	if why := l.afar(); why != "" {
		return foundProcess(drift.Process{Evidence: absent("%s", why)})
	}
	seen := l.live()
	switch {
	case seen.found != nil:
		process := foundProcess(l.processEvidence(ctx, seen.marker, seen.found))
		put, restart := process.put, l.restart(ctx)
		process.put = func(o *Observation) {
			put(o)
			o.Stranger, o.Host.Restart = l.stranger(seen.found), restart
		}
		return process
	case seen.err != nil:
		return foundProcess(drift.Process{Evidence: unknown("%w", seen.err)})
	}
	return foundProcess(drift.Process{Evidence: l.noProcess()})
}

func (l *look) lookFile(ctx context.Context) finding {
	for _, why := range []string{l.afar(), l.contained()} {
		if why != "" {
			return foundFile(drift.File{Evidence: absent("%s", why)})
		}
	}

	path := ""
	if cli, err := l.cli(); err == nil {
		path = cli.Path
	}
	serving := ""
	if found := l.live().found; found != nil {
		serving = l.Processes.Realm(ctx, found.PID).Unit
	}
	return foundFile(l.fileEvidence(ctx, l.target, l.live().marker, path, serving))
}

func (l *look) lookServed(context.Context) finding {
	return foundServed(servedEvidence(l.target, l.status()))
}

func foundCLI(c CLI) finding {
	detail := c.Why
	if c.State == drift.Known {
		detail = fmt.Sprintf("%s is %s", c.Path, c.Version)
	}
	return finding{c.State, detail, func(o *Observation) { o.CLI = c }}
}

func foundEngine(s engine.State, containers []engine.Container) finding {
	detail := s.Why
	if s.State == drift.Known {
		detail = fmt.Sprintf("%s speaks API %s, sandbox containers: %d", s.Host, s.APIVersion, len(containers))
	}
	return finding{s.State, detail, func(o *Observation) { o.Engine, o.Containers = s, containers }}
}

func foundCluster(c Cluster) finding {
	return finding{c.State, describeCluster(c), func(o *Observation) { o.Cluster = c }}
}

func foundMarker(m Marker) finding {
	f := finding{drift.Known, fmt.Sprintf("%s: %s", m.Path, m.State), func(o *Observation) { o.Marker = m }}
	if m.Reason != "" {
		f.detail = m.Reason
	}
	switch m.State {
	case MarkerAbsent:
		f.state = drift.Absent
	case MarkerInvalid:
		f.state = drift.Unknown
	}
	return f
}

func foundProcess(p drift.Process) finding {
	detail := p.Why
	if p.State == drift.Known {
		detail = fmt.Sprintf("process %d runs %s", p.PID, p.Version)
	}
	return finding{p.State, detail, func(o *Observation) { o.Process = p }}
}

// stranger names the user of another user's process.
func (o Options) stranger(r *running) string {
	if r.UID == o.UID {
		return ""
	}
	return fmt.Sprintf("user %d", r.UID)
}

func foundFile(f drift.File) finding {
	return finding{f.State, describe(f), func(o *Observation) { o.File = f }}
}

func foundServed(s Served) finding {
	detail := s.Why
	if s.State == drift.Known {
		detail = fmt.Sprintf("%s answers as %s", s.Endpoint, s.Version)
	}
	return finding{s.State, detail, func(o *Observation) { o.Served = s }}
}
