package driver

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
)

const (
	watchInterval = 2 * time.Second
	watchFailures = 5 // looks in a row without an answer: then the gateway has hung up
)

// WatchSandboxes looks at the list again and again. handle gets every sandbox first, then each whose phase, labels or
// annotations changed, that is new, or that is gone. It ends with ctx, with handle's error, or when the gateway no
// longer answers.
func (d *API) WatchSandboxes(ctx context.Context, handle func(lifecycle.Change) error) error {
	pause := openshell.Backoff{Least: cmp.Or(d.Interval, watchInterval), Most: 30 * time.Second}
	known := map[string]lifecycle.Record{}
	failures := 0
	for {
		records, err := d.ListSandboxes(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			failures = 0
			if err := report(known, records, handle); err != nil {
				return err
			}
		case !openshell.Transient(err) || failures+1 >= watchFailures:
			return err
		default:
			failures++
		}

		if !pause.Sleep(ctx, failures > 0) {
			return context.Cause(ctx)
		}
	}
}

// report hands over what differs between known and records, and brings known up to date.
func report(known map[string]lifecycle.Record, records []lifecycle.Record, handle func(lifecycle.Change) error) error {
	gone := maps.Clone(known)
	for _, r := range records {
		before, seen := known[r.ID]
		delete(gone, r.ID)
		known[r.ID] = r
		if seen && before.Phase == r.Phase && maps.Equal(before.Labels, r.Labels) && maps.Equal(before.Annotations, r.Annotations) {
			continue
		}
		if err := handle(lifecycle.Change{Record: r}); err != nil {
			return err
		}
	}

	for _, id := range slices.Sorted(maps.Keys(gone)) {
		delete(known, id)
		if err := handle(lifecycle.Change{Record: gone[id], Gone: true}); err != nil {
			return err
		}
	}
	return nil
}
