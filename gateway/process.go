package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"sandkeeper/drift"
)

// clockSlack is how much later than its marker a process may seem to have started: clocks step, processes do not.
const clockSlack = 2 * time.Minute

// running is a gateway process that was found, with what its command line says.
type running struct {
	Process
	identity
}

// sighting is what was seen of the process of a gateway.
type sighting struct {
	marker     Marker
	found      *running // of this host: what the live marker names, else what holds the endpoint's port
	idle       *running // its command line says that it is this gateway, and it does not hold the port
	holders    []Holder // whatever holds the port
	holdersErr error
	err        error // what kept us from knowing, when nothing was found
}

// sight looks for the live gateway of t: the process that the marker names, else a process that holds the port of the
// endpoint. Without a marker a command line is not enough: anybody can be called like a gateway.
func (o Options) sight(ctx context.Context, t Target, m Marker) sighting {
	s := sighting{marker: m}
	s.holders, s.holdersErr = o.holders(ctx, t)
	if m.State == MarkerStale {
		found, stale, err := o.judge(ctx, t, m)
		switch {
		case err != nil:
			s.marker.Reason, s.err = clean(err), err
			return s
		case found != nil:
			s.marker.State, s.found = MarkerLive, found
			return s
		}

		s.marker.Reason = stale
	}

	if s.err = s.holdersErr; s.err == nil {
		s.err = o.scan(ctx, t, &s)
	}
	return s
}

// judge looks at the process that a marker names; stale says why it is not the gateway.
func (o Options) judge(ctx context.Context, t Target, m Marker) (found *running, stale string, err error) {
	p, err := o.Processes.Look(ctx, m.PID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Sprintf("process %d is gone", m.PID), nil
	}
	if err != nil {
		return nil, "", err
	}
	r := running{Process: p, identity: identify(p.Args, m.GatewayBin)}
	if stale := r.unlike(t); stale != "" {
		return nil, stale, nil
	}
	if realm := o.Processes.Realm(ctx, p.PID); realm.Kind == Foreign {
		return nil, realm.Why, nil
	}
	if !m.CreatedAt.IsZero() && p.Started.After(m.CreatedAt.Add(clockSlack)) {
		return nil, fmt.Sprintf("process %d started at %s, after the marker was written: its number was used again",
			p.PID, p.Started.UTC().Format(time.RFC3339)), nil
	}
	if port, ok := o.otherPort(ctx, t, r); ok {
		return nil, fmt.Sprintf("process %d listens on port %d, not on %d: it is another gateway", p.PID, port, t.Port), nil
	}
	return &r, "", nil
}

// unlike says why r cannot be the gateway t, or "".
func (r running) unlike(t Target) string {
	switch {
	case r.Zombie:
		return fmt.Sprintf("process %d has ended (zombie)", r.PID)
	case len(r.Args) == 0:
		return fmt.Sprintf("process %d has no command line", r.PID)
	case r.shape == notGateway:
		return fmt.Sprintf("process %d is %q, not an openshell-gateway", r.PID, filepath.Base(r.Args[0]))
	case !r.fits(t):
		return fmt.Sprintf("process %d is the gateway of %s, not of %q", r.PID, r.whose(), t.Name)
	}
	return ""
}

func (r running) whose() string {
	if r.name != "" {
		return strconv.Quote(r.name)
	}
	return "port " + strconv.Itoa(r.port)
}

// otherPort reports a port that r listens on when none of its ports is t's. Ports that cannot be seen, and none at all
// (a gateway that is starting), prove nothing; the parent of a compat container never listens itself.
func (o Options) otherPort(ctx context.Context, t Target, r running) (int, bool) {
	if t.Port == 0 || r.shape == compat {
		return 0, false
	}
	ports, err := o.Processes.Ports(ctx, r.PID)
	if err != nil || len(ports) == 0 || slices.Contains(ports, t.Port) {
		return 0, false
	}
	return ports[0], true
}

// scan looks for the gateway among all processes. One of our own user wins; without any, a process that may be it but
// cannot be looked into is an error, not an absence.
func (o Options) scan(ctx context.Context, t Target, s *sighting) error {
	pids, err := o.Processes.PIDs(ctx)
	if err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	var doubt error
	for _, pid := range pids {
		args, err := o.Processes.Args(ctx, pid)
		if err != nil || identify(args, "").shape == notGateway {
			continue
		}
		r, err := o.suspect(ctx, t, pid)
		if r == nil || err != nil {
			doubt = errors.Join(doubt, err)
			continue
		}
		serves, err := o.serves(ctx, r, s.holders)
		doubt = errors.Join(doubt, err)
		switch {
		case serves && (s.found == nil || s.found.UID != o.UID):
			s.found = r
		case !serves && s.idle == nil && r.proves(t):
			s.idle = r
		}
	}

	if s.found != nil {
		return nil
	}
	return errors.Join(doubt, ctx.Err())
}

// suspect looks at a process that may be t's gateway; nil when it cannot be.
func (o Options) suspect(ctx context.Context, t Target, pid int) (*running, error) {
	p, err := o.Processes.Look(ctx, pid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := running{Process: p, identity: identify(p.Args, "")}
	if r.unlike(t) != "" || o.Processes.Realm(ctx, pid).Kind == Foreign {
		return nil, nil
	}
	if _, other := o.otherPort(ctx, t, r); other {
		return nil, nil
	}
	return &r, nil
}

// serves reports whether r holds the port, itself or through its compat container. An error says that the port is held,
// and that it cannot be seen whether by r.
func (o Options) serves(ctx context.Context, r *running, holders []Holder) (bool, error) {
	unseen := false
	for _, h := range holders {
		if h.PID == r.PID || r.shape == compat && h.inCompat() {
			return true, nil
		}
		unseen = unseen || h.PID == 0
	}

	if unseen && (r.UID != o.UID || r.shape == compat) && !o.ended(ctx, r.PID) {
		return false, fmt.Errorf("process %d of user %d may be the gateway, but whether it listens on the gateway's port cannot be seen", r.PID, r.UID)
	}
	return false, nil
}

// ended reports whether a process is there no more.
func (o Options) ended(ctx context.Context, pid int) bool {
	now, err := o.Processes.Look(ctx, pid)
	return errors.Is(err, fs.ErrNotExist) || err == nil && now.Zombie
}

// processEvidence is the version of what r really runs.
func (o Options) processEvidence(ctx context.Context, m Marker, r *running) drift.Process {
	p := drift.Process{PID: r.PID, Binary: m.GatewayBin}
	if m.State != MarkerLive || r.shape == compat {
		p.Binary = r.source
	}
	var path string
	p.Evidence, path = o.runningVersion(ctx, r)
	if p.Binary == "" {
		p.Binary = path
	}
	return p
}
