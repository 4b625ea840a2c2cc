package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sandkeeper/drift"
	"sandkeeper/internal/homefile"
)

// clockSlack is how much later than its marker a process may seem to have started: clocks step, processes do not.
const clockSlack = 2 * time.Minute

// running is a gateway process that was found, with what its command line says.
type running struct {
	Process
	identity
}

// findProcess looks for the live gateway of t: the one that the marker names, else the PID file's, else any that listens on the
// gateway's port. The marker comes back judged. An error says what kept us from knowing; without one, nil means that there is none.
func (o Options) findProcess(ctx context.Context, t Target, m Marker) (Marker, *running, error) {
	if m.State == MarkerStale {
		found, stale, err := o.judge(ctx, t, m)
		if err != nil {
			m.Reason = clean(err)
			return m, nil, err
		}
		if found != nil {
			m.State = MarkerLive
			return m, found, nil
		}
		m.Reason = stale
	}
	if found := o.hinted(ctx, t); found != nil {
		return m, found, nil
	}
	found, err := o.scan(ctx, t)
	return m, found, err
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

// otherPort reports a port that r listens on when none of its ports is t's. Ports that cannot be seen, and none at all (a gateway
// that is starting), prove nothing; the parent of a compat container never listens itself.
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

// hinted follows the PID file, which is a hint only: what it names must prove by itself that it is the gateway.
func (o Options) hinted(ctx context.Context, t Target) *running {
	dir, _ := o.stateDir(t)
	if dir == "" {
		return nil
	}
	content, err := homefile.Read(o.Env.Home(), filepath.Join(dir, "openshell-gateway.pid"), markerLimit)
	pid := number(strings.TrimSpace(string(content)))
	if err != nil || pid <= 0 {
		return nil
	}
	found, err := o.suspect(ctx, t, pid)
	if err != nil {
		return nil
	}
	return found
}

// scan looks for the gateway among all processes. One of our own user wins; without any, one that may be it but cannot be looked
// into is an error, not an absence.
func (o Options) scan(ctx context.Context, t Target) (*running, error) {
	pids, err := o.Processes.PIDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var foreign *running
	var doubt error
	for _, pid := range pids {
		args, err := o.Processes.Args(ctx, pid)
		if err != nil || identify(args, "").shape == notGateway {
			continue
		}
		found, err := o.suspect(ctx, t, pid)
		switch {
		case err != nil:
			doubt = errors.Join(doubt, err)
		case found != nil && found.UID == o.UID:
			return found, nil
		case found != nil && foreign == nil:
			foreign = found
		}
	}
	if foreign != nil {
		return foreign, nil
	}
	return nil, errors.Join(doubt, ctx.Err())
}

// suspect looks at a process that may be t's gateway: its command line must prove it, or it must listen on t's port.
func (o Options) suspect(ctx context.Context, t Target, pid int) (*running, error) {
	p, err := o.Processes.Look(ctx, pid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := running{Process: p, identity: identify(p.Args, "")}
	if r.unlike(t) != "" {
		return nil, nil
	}
	if _, other := o.otherPort(ctx, t, r); other {
		return nil, nil
	}
	if r.proves(t) {
		return &r, nil
	}
	ports, err := o.Processes.Ports(ctx, pid)
	if err != nil && o.ended(ctx, pid) {
		return nil, nil
	}
	if err != nil && p.UID != o.UID {
		return nil, fmt.Errorf("process %d of user %d may be the gateway, but where it listens cannot be seen: %w", pid, p.UID, err)
	}
	if err != nil || t.Port == 0 || !slices.Contains(ports, t.Port) {
		return nil, err
	}
	return &r, nil
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
