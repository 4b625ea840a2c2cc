package gateway

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"sandkeeper/drift"
)

// holders names whatever holds the port of t's endpoint on this host.
func (o Options) holders(ctx context.Context, t Target) ([]Holder, error) {
	if t.Port == 0 {
		return nil, nil
	}
	listeners, err := o.Processes.Listeners(ctx, t.Port)
	if err != nil {
		return nil, fmt.Errorf("what holds port %d cannot be seen: %w", t.Port, err)
	}
	var found []Holder
	for _, l := range listeners {
		if !l.answersAt(t) || slices.ContainsFunc(found, func(h Holder) bool { return h.PID == l.PID && l.PID != 0 }) {
			continue
		}
		h := Holder{Listener: l}
		if l.PID != 0 {
			args, _ := o.Processes.Args(ctx, l.PID)
			h.Program, h.Way = programOf(args), wayOf(programOf(args), args)
			h.gateway = identify(args, "").shape != notGateway
			if realm := o.Processes.Realm(ctx, l.PID); realm.Kind == Foreign {
				h.Foreign, h.Container = realm.Why, realm.Container
			}
		}

		found = append(found, h)
	}

	return found, nil
}

// any is the process that serves, else a process that may be about to.
func (s sighting) any() *running {
	if s.found != nil {
		return s.found
	}
	return s.idle
}

// owns reports whether h is the gateway's process, or that of its compat container.
func (s sighting) owns(h Holder) bool {
	return s.found != nil && (h.PID == s.found.PID || s.found.shape == compat && h.inCompat())
}

// inCompat reports whether h is the gateway in a compat container.
func (h Holder) inCompat() bool { return h.Foreign != "" && h.Program == filepath.Base(compatBinary) }

// afar says why nothing on this host but the CLI and the gateway's own answer is evidence; "" when the gateway may be
// of this host.
func (l *look) afar() string {
	if l.target.Remote {
		return l.elsewhere(l.target)
	}
	seen := l.live()
	for _, h := range seen.holders {
		if seen.found == nil && h.Way == WayAfar {
			return fmt.Sprintf("port %d is held by %s, which passes on what comes in: gateway %q is not of this host", l.target.Port, h, l.target.Name)
		}
	}
	return ""
}

// contained says why the gateway is no process of this host's own but a container's; "" when it may be one.
func (l *look) contained() string {
	seen := l.live()
	for _, h := range seen.holders {
		switch {
		case seen.found != nil:
			return ""
		case h.Foreign != "":
			return fmt.Sprintf("port %d is held by %s, which is a container's", l.target.Port, h)
		case h.Way == WayEngine:
			return fmt.Sprintf("port %d is held by %s, behind which a container answers", l.target.Port, h)
		}
	}
	return ""
}

// noProcess is the evidence where no process of this host is the gateway.
func (l *look) noProcess() drift.Evidence {
	seen := l.live()
	if len(seen.holders) > 0 {
		return unknown("port %d is held by %s", l.target.Port, seen.holders[0])
	}
	if seen.idle != nil {
		return absent("process %d is called like gateway %q and does not listen on port %d", seen.idle.PID, l.target.Name, l.target.Port)
	}
	return absent("no live openshell-gateway process of gateway %q (port %d)", l.target.Name, l.target.Port)
}
