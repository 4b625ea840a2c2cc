package backup

import (
	"context"

	"sandkeeper/backup/store"
	"sandkeeper/engine"
)

// Room is what the need of the next backups is estimated from, before anything is asked of a gateway.
type Room struct {
	Store      *store.Store
	Containers []engine.Container
	EngineOf   func(engine.Container) *engine.Engine // nil: no engine answers for it
}

// Need is an estimate of what the next backups take.
type Need struct {
	Bytes     int64
	Sandboxes int
	Unknown   int // sandboxes of which nothing is known; they are not in Bytes
}

// Need adds up what the next backups of the sandboxes of these names are expected to take.
func (r Room) Need(ctx context.Context, names []string) Need {
	var need Need
	for _, name := range names {
		bytes, known := r.expect(ctx, name)
		if !known {
			need.Unknown++
			continue
		}
		need.Bytes += bytes
		need.Sandboxes++
	}
	return need
}

func (r Room) expect(ctx context.Context, name string) (int64, bool) {
	if last, err := r.Store.Find(name, store.Latest); err == nil {
		return Expect(ctx, &last, nil)
	}
	for _, c := range r.Containers {
		on := r.EngineOf(c)
		if c.SandboxName != name || on == nil || !c.Workload() {
			continue
		}
		return Expect(ctx, nil, func(ctx context.Context) (int64, error) { return on.Written(ctx, c.ID) })
	}
	return 0, false
}
