package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// sightings is what the gateways listed, and which ids are already known.
type sightings struct {
	known    map[string]bool
	gateways map[string]listing
}

type listing struct {
	records []Record
	err     error
}

// look lists every gateway that a stored sandbox belongs to, all at once.
func look(ctx context.Context, entries []entry, drivers map[string]Driver) sightings {
	s := sightings{known: map[string]bool{}, gateways: map[string]listing{}}
	for _, e := range entries {
		s.known[e.ID] = true
		s.gateways[e.Gateway] = listing{err: fmt.Errorf("gateway %q was not asked for its sandboxes", e.Gateway)}
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	for name, driver := range drivers {
		if _, wanted := s.gateways[name]; !wanted {
			continue
		}
		wait.Go(func() {
			records, err := driver.ListSandboxes(ctx)
			mu.Lock()
			defer mu.Unlock()
			s.gateways[name] = listing{records: records, err: err}
		})
	}

	wait.Wait()
	return s
}

// find returns the record of a stored sandbox and whether its gateway lists it; the error says why that is unknown.
func (s sightings) find(e entry) (Record, Presence, error) {
	l := s.gateways[e.Gateway]
	if l.err != nil {
		return Record{}, PresenceUnknown, fmt.Errorf("sandbox %q: whether it exists is unknown: %w", e.label(), l.err)
	}
	i := slices.IndexFunc(l.records, func(r Record) bool { return r.ID == e.ID || s.adoptable(r, e) })
	if i < 0 {
		return Record{}, Missing, nil
	}
	return l.records[i], Listed, nil
}

// adoptable reports whether a listed sandbox is what was being created under a provisional id: same name, no stranger's
// id, and, where the listing shows labels, the labels that the extensions added.
func (s sightings) adoptable(r Record, e entry) bool {
	if !strings.HasPrefix(e.ID, provisional) || r.Name != e.Name || s.known[r.ID] {
		return false
	}
	return r.Labels == nil || !slices.ContainsFunc(e.Additions, func(a Addition) bool {
		return a.Kind == "label" && r.Labels[a.Key] != a.Value
	})
}
