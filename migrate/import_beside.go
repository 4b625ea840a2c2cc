package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// giveBack gives a sandbox that is whole what the old gateway kept of it beside its recipe. What the new one refuses is
// named, and is no failure: the sandbox is there without it.
func (i *Importer) giveBack(ctx context.Context, m Member, outcome *ImportedMember) error {
	if m.Beside.String() == "" {
		return nil
	}
	if err := i.Replay(ctx, i.at(m), i.name(m), m.Beside); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		outcome.Lost = append(outcome.Lost, Item{Code: "beside", Detail: fmt.Sprintf("the new gateway did not take all of %s: %v", m.Beside, err)})
	}
	return nil
}

// workspaces makes those of the set that are missing, those without a sandbox as well.
func (i *Importer) workspaces(ctx context.Context) (lost []Item) {
	for _, name := range i.Set.Workspaces {
		if name == sandbox.DefaultWorkspace || ctx.Err() != nil {
			continue
		}
		if err := i.MakeWorkspace(ctx, name); err != nil {
			lost = append(lost, Item{Code: "workspace", Detail: fmt.Sprintf("workspace %q: %v", name, err)})
		}
	}
	return lost
}

// settings sets those of the whole gateway that nobody has set on the new one. What was set there is somebody's work,
// and stays.
func (i *Importer) settings(ctx context.Context) (lost []Item) {
	if len(i.Set.Settings) == 0 || ctx.Err() != nil {
		return nil
	}
	there, err := i.Settings(ctx)
	if err != nil {
		return []Item{{Code: "setting", Detail: fmt.Sprintf("the settings of gateway %q cannot be read, so none was set: %v", i.Gateway, err)}}
	}
	for _, s := range i.Set.Settings {
		if err := i.setting(ctx, s, there); err != nil {
			lost = append(lost, Item{Code: "setting", Detail: fmt.Sprintf("setting %q of the whole gateway: %v", s.Key, err)})
		}
	}

	return lost
}

func (i *Importer) setting(ctx context.Context, s openshell.Setting, there []openshell.Setting) error {
	at := slices.IndexFunc(there, func(other openshell.Setting) bool { return other.Key == s.Key })
	switch {
	case at < 0:
		return i.SetSetting(ctx, s)
	case bytes.Equal(there[at].Value, s.Value):
		return nil
	}
	return errors.New("it has another value on the new gateway, which stays")
}
