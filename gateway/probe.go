package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sandkeeper/drift"
)

// settle is how long a probe that was told to stop may take to say so before it is left behind.
const settle = time.Second

// finding is what one probe saw: how it is reported, and where it goes.
type finding struct {
	state  drift.State
	detail string
	put    func(*Observation)
}

// probe is one look at the host. blind makes its finding when it could not look.
type probe struct {
	code  string
	look  func(context.Context) finding
	blind func(why string) finding
}

// runProbes starts all probes together and waits until each has ended, or has been left behind when ctx ran out: a
// probe that hangs, or panics, costs its own fact and no other.
func runProbes(ctx context.Context, probes []probe, into *Observation) {
	found := make([]finding, len(probes))
	took := make([]time.Duration, len(probes))
	var all sync.WaitGroup
	for i, p := range probes {
		all.Go(func() {
			start := time.Now()
			found[i] = p.run(ctx)
			took[i] = time.Since(start)
		})
	}

	all.Wait()
	for i, f := range found {
		f.put(into)
		into.Probes = append(into.Probes, Probe{Code: probes[i].code, State: f.state, Detail: f.detail, Took: took[i]})
	}
}

func (p probe) run(ctx context.Context) finding {
	done := make(chan finding, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- p.blind(fmt.Sprintf("the probe broke down: %v", r))
			}
		}()
		done <- p.look(ctx)
	}()
	select {
	case f := <-done:
		return f
	case <-ctx.Done():
	}

	select {
	case f := <-done:
		return f
	case <-time.After(settle):
		return p.blind(clean(context.Cause(ctx)))
	}
}
