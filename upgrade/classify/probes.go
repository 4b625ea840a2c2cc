package classify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"sandkeeper/drift"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
	"sandkeeper/openshell/wire"
	"sandkeeper/sandbox"
)

// supervisorPath is where the docker driver mounts the supervisor in a sandbox (docs/facts/openshell.md 5.1).
const supervisorPath = "/opt/openshell/bin/openshell-sandbox"

// Probes look into sandboxes for versions. They run nothing but version commands.
type Probes struct {
	Env      env.Env
	UID      int
	Timeout  time.Duration    // of a command through the command line
	CLI      *openshell.CLI   // nil: no gateway is asked
	Gateways *driver.Gateways // for the gateways' own API; needed beside CLI, and for recipes
	Engines  engine.Engines
}

// Agent runs a version command in a running sandbox: through the gateway, as the sandbox's own user, where it lists the
// sandbox Ready; else through the container engine.
func (p Probes) Agent(ctx context.Context, sb sandbox.Sandbox, argv []string) (string, error) {
	if p.CLI != nil && sb.Listed && openshell.PhaseReady(sb.Phase) {
		return p.throughGateway(ctx, sb, argv)
	}
	return p.inContainer(ctx, sb, argv)
}

// throughGateway asks the gateway's own API, which leaves no trace here. The command line makes the sandbox the one
// that its later calls without a name mean; it is only run where nothing else reaches the gateway, or what answers has
// no such call or sandbox.
func (p Probes) throughGateway(ctx context.Context, sb sandbox.Sandbox, argv []string) (string, error) {
	api, err := p.Gateways.API(ctx, sb.Gateway)
	if err == nil && api.Generation() != wire.Unknown {
		out, exit, err := api.ExecSandbox(ctx, sb.ID, sb.Name, argv)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, openshell.ErrUnsupported) {
			return exited(string(out), exit, argv, err)
		}
	}

	var out bytes.Buffer
	result, err := p.CLI.Exec(ctx, openshell.ExecRequest{Gateway: sb.Gateway, Workspace: sb.Workspace, Name: sb.Name, Argv: argv, Stdout: &out, Timeout: p.Timeout})
	return exited(out.String(), result.Exit, argv, err)
}

func (p Probes) inContainer(ctx context.Context, sb sandbox.Sandbox, argv []string) (string, error) {
	if sb.Container == nil || !sb.Container.Running() || p.Engines.Of(*sb.Container) == nil {
		return "", errors.New("nothing on this host can run a command in it")
	}
	out, exit, err := p.Engines.Of(*sb.Container).Exec(ctx, sb.Container.ID, argv)
	return exited(string(out), exit, argv, err)
}

func exited(out string, exit int, argv []string, err error) (string, error) {
	if err == nil && exit != 0 {
		err = fmt.Errorf("%s in the sandbox ended with exit status %d", argv[0], exit)
	}
	return out, err
}

// RecipeImage is the image that the sandbox's recipe names; only its gateway knows it.
func (p Probes) RecipeImage(ctx context.Context, sb sandbox.Sandbox) (string, error) {
	recipe, err := p.Gateways.RecipeOf(ctx, sb)
	return recipe.Image, err
}

// ImageID is what the engine of the sandbox's container has under an image reference. The error wraps fs.ErrNotExist
// when it has nothing.
func (p Probes) ImageID(ctx context.Context, sb sandbox.Sandbox, ref string) (string, error) {
	on := p.Engines.Of(*sb.Container)
	if on == nil {
		return "", errNoEngine
	}
	return on.ImageID(ctx, ref)
}

// Inspect looks the sandbox's container up again.
func (p Probes) Inspect(ctx context.Context, sb sandbox.Sandbox) (engine.Container, error) {
	on := p.Engines.Of(*sb.Container)
	if on == nil {
		return engine.Container{}, errNoEngine
	}
	return on.Inspect(ctx, sb.Container.ID)
}

var errNoEngine = errors.New("the engine of its container does not answer")

// Supervisor asks the supervisor inside a running sandbox; of a stopped one it asks the file that is mounted into it.
func (p Probes) Supervisor(ctx context.Context, sb sandbox.Sandbox) (drift.Version, error) {
	switch {
	case sb.Container == nil:
		return drift.Version{}, fs.ErrNotExist
	case sb.Container.Role != "":
		return p.companionVersion(ctx, sb)
	case sb.Container.Running():
		return p.runningSupervisor(ctx, sb)
	}

	for _, mount := range sb.Container.Mounts {
		if mount.Destination == supervisorPath && mount.Source != "" {
			return SupervisorFileVersion(ctx, p.Env, p.UID, mount.Source)
		}
	}
	return drift.Version{}, text.As(fs.ErrNotExist, "container %q does not run, and has no supervisor mounted at %s", sb.Container.Name, supervisorPath)
}

// companionVersion is the version of the image that the companion of a sandbox runs. Nobody enters a companion; and the
// tag of its image is its gateway's version (docs/facts/openshell-0.1.md 7).
func (p Probes) companionVersion(ctx context.Context, sb sandbox.Sandbox) (drift.Version, error) {
	if sb.Companion == nil {
		return drift.Version{}, text.As(fs.ErrNotExist, "container %q has no companion now: its next start takes the supervisor of its gateway", sb.Container.Name)
	}
	on := p.Engines.Of(*sb.Companion)
	if on == nil {
		return drift.Version{}, errors.New("the engine of its companion does not answer")
	}
	names, label, err := on.ImageNames(ctx, cmp.Or(sb.Companion.ImageID, sb.Companion.Image))
	if err != nil {
		return drift.Version{}, err
	}
	for _, name := range names {
		if version, ours := drift.ImageVersion(name); ours && version.Known() {
			return version, nil
		}
	}

	if version, ok := drift.Parse(label); ok && version.Known() {
		return version, nil
	}
	return drift.Version{}, text.As(fs.ErrNotExist, "the image of its companion %q tells no version", sb.Companion.Name)
}

// runningSupervisor runs the supervisor's --version. Exit 126 and 127 are the engine's way to say that there is no such
// program.
func (p Probes) runningSupervisor(ctx context.Context, sb sandbox.Sandbox) (drift.Version, error) {
	if p.Engines.Of(*sb.Container) == nil {
		return drift.Version{}, errors.New("nothing on this host can run a command in it")
	}
	out, exit, err := p.Engines.Of(*sb.Container).Exec(ctx, sb.Container.ID, []string{supervisorPath, "--version"})
	switch {
	case err != nil && strings.Contains(err.Error(), "no such file"), exit == 126, exit == 127:
		return drift.Version{}, text.As(fs.ErrNotExist, "container %q has no %s", sb.Container.Name, supervisorPath)
	case err != nil:
		return drift.Version{}, err
	}
	return SupervisorVersion(string(out))
}
