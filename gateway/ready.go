package gateway

import (
	"context"
	"fmt"
	"time"

	"sandkeeper/drift"
	"sandkeeper/internal/text"
)

// Defaults of Waiting.
const (
	DefaultWait   = 2 * time.Minute
	DefaultSettle = 3 * time.Second
)

// How often a gateway that is not ready is asked again, and how often its process is looked at while it is asked.
const (
	waitPoll  = 500 * time.Millisecond
	watchPoll = 100 * time.Millisecond
)

// Waiting says what to wait for and how long.
type Waiting struct {
	Options
	Timeout time.Duration // 0 is DefaultWait
	Settle  time.Duration // how long ready must last before it counts; 0: one look is enough

	ask    func(context.Context) Served // tests; nil asks the openshell CLI
	probed func()                       // tests: called between the probes and the verdict
}

// ReadyState is how a wait ended; the values are part of the JSON contract.
type ReadyState string

// The ends of a wait.
const (
	IsReady     ReadyState = "ready"
	HasExited   ReadyState = "exited"  // its process ended while it was waited for
	NotReady    ReadyState = "timeout" // the time is up; Reason says what was missing last
	Interrupted ReadyState = "interrupted"
	BadTarget   ReadyState = "no-target"
)

// Readiness is what became of a wait.
type Readiness struct {
	Ready      bool       `json:"ready"`
	State      ReadyState `json:"state"`
	Gateway    string     `json:"gateway"`
	Endpoint   string     `json:"endpoint"`
	Version    string     `json:"version"`   // as served; "" unless ready
	PID        int        `json:"pid"`       // of the process that was watched; 0 when none could be seen
	JudgedBy   string     `json:"judgedBy"`  // in words: with its process watched, or without
	Reason     string     `json:"reason"`    // why not ready; "" when ready
	LogPath    string     `json:"logPath"`   // where Log is from
	Log        []string   `json:"log"`       // after an exit: the last lines of its log
	Polls      int        `json:"polls"`     // how often it was asked
	WaitedMs   int64      `json:"waitedMs"`  // in all
	SettledFor int64      `json:"settledMs"` // how long it had been ready
	Err        error      `json:"-"`         // for BadTarget

	NotRegistered bool `json:"-"` // the CLI said at last that it has no such gateway
}

// Wait waits until the gateway serves its version, accepts on its endpoint, and the process that was there is still
// alive after both were seen: a gateway that answers once and then dies, as one does whose migration fails, is never
// ready. It ends at once when that process ends. A gateway without a visible process is judged by the rest.
func Wait(ctx context.Context, w Waiting) Readiness {
	w.Options = w.Options.filled()
	if w.Timeout <= 0 {
		w.Timeout = DefaultWait
	}
	start := time.Now()
	t := ChooseTarget(ctx, w.Options)
	r := Readiness{Gateway: t.Name, Endpoint: t.Endpoint, Log: []string{}}
	if t.Err != nil {
		r.State, r.Reason, r.Err = BadTarget, clean(t.Err), t.Err
		return r
	}
	if w.ask == nil {
		w.ask = w.asker(ctx, t)
	}
	limit := text.As(context.DeadlineExceeded, "not ready within %s", w.Timeout)
	timed, cancel := context.WithTimeoutCause(ctx, w.Timeout, limit)
	defer cancel()
	wait := &wait{Waiting: w, target: t, result: &r}
	wait.run(timed)
	r.WaitedMs = time.Since(start).Milliseconds()
	if r.State == NotReady && ctx.Err() != nil {
		r.State = Interrupted
	}
	return r
}

// wait is one under way.
type wait struct {
	Waiting
	target  Target
	result  *Readiness
	watched *watched
	since   time.Time // ready since then; zero: it was not at the last look
}

func (w *wait) run(ctx context.Context) {
	r := w.result
	r.State = NotReady
	w.adopt(ctx)
	for ctx.Err() == nil {
		look := time.Now()
		served, exit, accepts := w.look(ctx)
		if w.probed != nil {
			w.probed()
		}
		if exit == "" {
			exit = w.watched.exit(context.WithoutCancel(ctx))
		}
		if exit != "" {
			w.exited(exit)
			return
		}
		if ctx.Err() != nil && r.Reason != "" {
			return // the limit has cut this look off: what the last whole one said counts
		}
		if w.adopt(ctx) { // it may have come after the answers, or have died since: look again, with it watched
			continue
		}
		if w.watched == nil && accepts == nil {
			accepts = knock(ctx, w.target) // nobody's life is watched: what accepted before the scan must accept after it
		}
		if w.judge(served, accepts, look) {
			return
		}
		w.rest(ctx)
	}

	if r.Reason == "" {
		r.Reason = clean(context.Cause(ctx))
	}
}

// judge decides after a look that began at look and that the process has outlived.
func (w *wait) judge(served Served, accepts error, look time.Time) bool {
	r := w.result
	r.Polls++
	r.NotRegistered = served.NotRegistered()
	switch {
	case served.State != drift.Known:
		w.since, r.Reason = time.Time{}, served.Why
		return false
	case accepts != nil:
		w.since, r.Reason = time.Time{}, clean(accepts)
		return false
	}

	if w.since.IsZero() {
		w.since = look
	}
	settled := look.Sub(w.since)
	if r.SettledFor = settled.Milliseconds(); settled < w.Settle {
		r.Reason = fmt.Sprintf("it has been ready for %s only, of %s that it must stay so", settled.Round(time.Millisecond), w.Settle)
		return false
	}
	r.Ready, r.State, r.Version, r.Reason, r.Endpoint = true, IsReady, served.Version.String(), "", served.Endpoint
	return true
}

// rest waits for the next look, or until the process ends: the next look then says so.
func (w *wait) rest(ctx context.Context) {
	ctx, cancel := text.Within(ctx, waitPoll)
	defer cancel()
	w.watched.until(ctx)
}

func (w *wait) exited(why string) {
	r := w.result
	r.State, r.Reason = HasExited, why
	r.LogPath, r.Log = w.lastWords(w.target)
}
