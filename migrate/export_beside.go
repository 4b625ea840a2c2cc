package migrate

import (
	"context"
	"fmt"
	"slices"

	"sandkeeper/sandbox"
)

// keepBeside takes down what the gateway keeps of a sandbox beside its recipe. Where no gateway is asked, or it does
// not say, what an earlier run has taken down stays.
func (e *exporting) keepBeside(ctx context.Context, m *Member, sb sandbox.Sandbox, earlier *Member) (lost []Item) {
	if earlier != nil && earlier.ID == m.ID {
		m.Beside = earlier.Beside
	}
	if e.Beside == nil {
		return nil
	}
	kept, err := e.Beside(ctx, sb)
	if err != nil {
		return []Item{{Code: "beside", Detail: fmt.Sprintf("its exposed services and its own settings could not be read: %v", err)}}
	}
	m.Beside = kept
	return nil
}

// keepWhole keeps what an earlier run has taken down of the whole gateway, where this one does not ask the old gateway.
func (in Input) keepWhole(s *Set) {
	if in.Set == nil || in.Asked {
		return
	}
	s.Settings = in.Set.Settings
	s.Workspaces = append(s.Workspaces, in.Set.Workspaces...)
	slices.Sort(s.Workspaces)
	s.Workspaces = slices.Compact(s.Workspaces)
}
