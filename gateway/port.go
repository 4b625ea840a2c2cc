package gateway

import (
	"context"
	"fmt"
	"strings"

	"sandkeeper/drift"
)

// Port is who holds the port of the gateway's endpoint on this host.
type Port struct {
	State   drift.State // known: somebody listens; absent: nobody does, or the endpoint is not of this host; unknown: Why
	Why     string
	Number  int
	Holders []Holder // those that are not the gateway's own process
	Own     bool     // the gateway's process listens there
	// Afar says why nothing on this host but the CLI and the gateway's own answer is evidence: the gateway is on
	// another host, in a cluster, or behind a forward. "" for a gateway of this host.
	Afar string
}

func (l *look) lookPort(context.Context) finding {
	p := Port{Number: l.target.Port, Afar: l.afar(), State: drift.Absent}
	if l.target.Remote {
		p.Why = p.Afar
		return foundPort(p)
	}
	seen := l.live()
	for _, h := range seen.holders {
		if seen.owns(h) {
			p.Own = true
			continue
		}
		p.Holders = append(p.Holders, h)
	}

	switch {
	case len(seen.holders) > 0:
		p.State = drift.Known
	case seen.holdersErr != nil:
		p.State, p.Why = drift.Unknown, clean(seen.holdersErr)
	default:
		p.Why = fmt.Sprintf("nothing on this host listens on port %d", p.Number)
	}

	return foundPort(p)
}

func foundPort(p Port) finding {
	detail := p.Why
	if p.State == drift.Known {
		detail = fmt.Sprintf("port %d is held by %s", p.Number, p.Names())
	}
	return finding{p.State, detail, func(o *Observation) { o.Port = p }}
}

// Names are the holders in words.
func (p Port) Names() string {
	var names []string
	if p.Own {
		names = append(names, "the gateway's process")
	}
	for _, h := range p.Holders {
		names = append(names, h.String())
	}
	return strings.Join(names, " and ")
}

// Gateway reports whether the holder calls itself a gateway of OpenShell.
func (h Holder) Gateway() bool { return h.gateway }
