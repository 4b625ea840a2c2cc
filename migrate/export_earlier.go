package migrate

import (
	"context"
	"errors"
	"io/fs"

	"sandkeeper/engine"
)

// keepEarlier keeps what an earlier run has exported and this one does not see: its engine may not answer now, or its
// gateway may not have listed it. Only one whose old container was removed while the old gateway still runs is in the
// set no longer.
func (e *exporting) keepEarlier(ctx context.Context, in Input) {
	if in.Set == nil {
		return
	}
	for _, m := range in.Set.Sandboxes {
		if e.set.member(m.Workspace, m.Name) != nil {
			continue
		}
		if in.new() || !e.removed(ctx, m) {
			e.set.Sandboxes = append(e.set.Sandboxes, m)
		}
	}
}

// removed reports whether the engine that had the old container of a member says that it has it no longer.
func (e *exporting) removed(ctx context.Context, m Member) bool {
	on := e.EngineOf(engine.Container{ID: m.Container, Host: m.Host})
	if on == nil || m.Container == "" {
		return false
	}
	if identity, err := on.Identity(ctx); err != nil || identity != m.Engine {
		return false
	}
	_, err := on.Inspect(ctx, m.Container)
	return errors.Is(err, fs.ErrNotExist)
}

// carryOver takes from the set of an earlier run that the sandbox ran before that run stopped it: if nobody has started
// it since, and on the new gateway in any case, for there an old container has no business to run. A container that
// could not be looked at now counts as not started since.
func (m *Member) carryOver(earlier *Member, moved bool) {
	if earlier == nil || m.Running || earlier.ID != m.ID || earlier.Container != m.Container {
		return
	}
	if m.Started.IsZero() {
		m.Started = earlier.Started
	}
	if moved || m.Container == "" && earlier.Stopped || m.Container != "" && earlier.Started.Equal(m.Started) {
		m.Running = earlier.Running
	}
}
