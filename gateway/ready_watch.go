package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	"sandkeeper/internal/text"
	"sandkeeper/openshell"
)

// watched is the process whose life decides. Nil is a process that cannot be seen, which never ends.
type watched struct {
	Process
	table Processes
}

// adopt looks for the gateway's process until one is found, and reports that; from then on its exit is the end of the
// wait.
func (w *wait) adopt(ctx context.Context) bool {
	r := w.result
	if w.watched != nil {
		return false
	}
	if w.target.Remote {
		r.JudgedBy = "its answers alone: the gateway is on another host"
		return false
	}
	seen := w.sight(ctx, w.target, w.readMarker(w.target))
	found, err := seen.any(), seen.err
	switch {
	case found != nil:
		w.watched = &watched{Process: found.Process, table: w.Processes}
		r.PID, r.JudgedBy = found.PID, fmt.Sprintf("its answers, and process %d staying alive", found.PID)
	case err != nil:
		r.JudgedBy = "its answers alone; its process cannot be seen: " + clean(err)
	default:
		r.JudgedBy = "its answers alone; no process of it can be seen"
	}

	return found != nil
}

// exit says how the process ended; "" while it lives, as far as can be seen.
func (w *watched) exit(ctx context.Context) string {
	if w == nil {
		return ""
	}
	now, err := w.table.Look(ctx, w.PID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("process %d has ended", w.PID)
	case err != nil:
		return fmt.Sprintf("process %d cannot be looked at any more: %s", w.PID, clean(err))
	case now.Zombie:
		return fmt.Sprintf("process %d has ended (zombie)", w.PID)
	case now.Born != w.Born:
		return fmt.Sprintf("process %d has ended, and its number was used again", w.PID)
	}
	return ""
}

// until watches the process until ctx ends or it does, and says how.
func (w *watched) until(ctx context.Context) string {
	tick := time.NewTicker(watchPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ""
		case <-tick.C:
			if why := w.exit(context.WithoutCancel(ctx)); why != "" {
				return why
			}
		}
	}
}

// look asks the gateway and knocks at its port, and gives up at once when its process ends meanwhile.
func (w *wait) look(ctx context.Context) (served Served, exit string, accepts error) {
	ctx, cancel := text.Within(ctx, w.ProbeTimeout)
	defer cancel()
	var watching, probing sync.WaitGroup
	watching.Go(func() {
		if exit = w.watched.until(ctx); exit != "" {
			cancel()
		}
	})
	probing.Go(func() { served = w.ask(ctx) })
	probing.Go(func() { accepts = knock(ctx, w.target) })
	probing.Wait()
	cancel()
	watching.Wait()
	return served, exit, accepts
}

// asker asks the openshell CLI, which is resolved once.
func (w Waiting) asker(ctx context.Context, t Target) func(context.Context) Served {
	path, err := openshell.Resolve(ctx, w.Env, w.UID)
	cli := &openshell.CLI{Path: path, Env: w.Env, UID: w.UID, Timeout: w.ProbeTimeout}
	return func(ctx context.Context) Served { return servedEvidence(t, w.askStatus(ctx, t, cli, err)) }
}

// knockLimit is how long a port may take to accept; NemoClaw gives it half a second (docs/facts/nemoclaw.md 11).
const knockLimit = time.Second

// knock says why nothing accepts at t's endpoint.
func knock(ctx context.Context, t Target) error {
	at := listensAt(t)
	dialer := net.Dialer{Timeout: knockLimit}
	connection, err := dialer.DialContext(ctx, "tcp", at)
	if err != nil {
		return fmt.Errorf("nothing accepts at %s: %w", at, err)
	}
	return connection.Close()
}

// listensAt is host and port of t's endpoint.
func listensAt(t Target) string {
	host, port := "127.0.0.1", strconv.Itoa(t.Port)
	if u, err := url.Parse(t.Endpoint); err == nil && u.Hostname() != "" {
		host = u.Hostname()
		if u.Port() != "" {
			port = u.Port()
		} else if t.Port == 0 {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
	}
	return net.JoinHostPort(host, port)
}
