package migrate

import (
	"context"
	"errors"
	"io/fs"

	"sandkeeper/engine"
)

// keepEarlier keeps what an earlier run has exported and this one does not see: on the new gateway, where its sandbox may be by now, and
// everywhere as long as its old container is there. One that was deleted on the old gateway since is in the set no longer.
func (e *exporting) keepEarlier(ctx context.Context, in Input) {
	if in.Set == nil {
		return
	}
	for _, m := range in.Set.Sandboxes {
		if e.set.member(m.Workspace, m.Name) != nil {
			continue
		}
		there := in.new()
		if on := e.EngineOf(engine.Container{ID: m.Container, Host: m.Host}); !there && on != nil && m.Container != "" {
			_, err := on.Inspect(ctx, m.Container)
			there = !errors.Is(err, fs.ErrNotExist)
		}
		if there {
			e.set.Sandboxes = append(e.set.Sandboxes, m)
		}
	}
}

// carryOver takes from the set of an earlier run that the sandbox ran before that run stopped it: if nobody has started it since, and on
// the new gateway in any case, for there an old container has no business to run.
func (m *Member) carryOver(earlier *Member, moved bool) {
	if earlier == nil || m.Running || earlier.ID != m.ID || earlier.Container != m.Container {
		return
	}
	if moved || m.Container == "" && earlier.Stopped || m.Container != "" && earlier.Started.Equal(m.Started) {
		m.Running = earlier.Running
	}
}
