package openshell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"sandkeeper/openshell/wire"
)

// Beside is what a gateway keeps of one sandbox beside its recipe: a sandbox that is made again from the recipe alone
// loses it.
type Beside struct {
	Services []wire.Service `json:"services,omitempty"`
	Settings []wire.Setting `json:"settings,omitempty"` // the approval mode is one
}

// String names the services and the settings, without a value; "" for nothing.
func (b Beside) String() string {
	var parts []string
	for _, s := range b.Services {
		parts = append(parts, fmt.Sprintf("service %q (port %d)", s.Name, s.Port))
	}
	for _, s := range b.Settings {
		parts = append(parts, fmt.Sprintf("setting %q", s.Key))
	}
	return strings.Join(parts, ", ")
}

// Beside reads what is kept of a sandbox. A gateway that is too old for one of it has none.
func (a *API) Beside(ctx context.Context, id, name string) (kept Beside, err error) {
	answer, err := a.read(ctx, "ListServices", a.Address(name), a.version.ListServices(name, a.workspace))
	if err == nil {
		kept.Services, err = wire.ReadServices(answer)
		err = a.decoded("ListServices", err)
	}
	if err != nil && !errors.Is(err, ErrUnsupported) {
		return kept, err
	}
	answer, err = a.read(ctx, "GetSandboxConfig", a.Address(name), a.version.SandboxConfig(id, name, a.workspace))
	if err == nil {
		kept.Settings, err = wire.ReadSettings(answer)
		err = a.decoded("GetSandboxConfig", err)
	}
	if errors.Is(err, ErrUnsupported) {
		err = nil
	}
	return kept, err
}

// Replay gives a sandbox what was kept of the one before it. Each part is tried; the error joins what was refused, each
// with its name.
func (a *API) Replay(ctx context.Context, name string, kept Beside) error {
	var problems []error
	for _, s := range kept.Services {
		_, err := a.write(ctx, "ExposeService", a.Address(name), a.version.ExposeService(name, a.workspace, s))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			problems = append(problems, fmt.Errorf("service %q (port %d): %w", s.Name, s.Port, err))
		}
	}

	for _, s := range kept.Settings {
		if _, err := a.write(ctx, "UpdateConfig", a.Address(name), a.version.SetSetting(name, a.workspace, s)); err != nil {
			problems = append(problems, fmt.Errorf("setting %q: %w", s.Key, err))
		}
	}
	return errors.Join(problems...)
}
