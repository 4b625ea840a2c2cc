package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/text"
	"sandkeeper/upgrade/classify"
)

// Codes of preconditions. They are only ever added to; docs/upgrades.md has a section for each.
const (
	NeedName      = "name"
	NeedContainer = "container"
	NeedGateway   = "gateway"
	NeedRecipe    = "recipe"
	NeedImage     = "image"
	NeedProviders = "providers"
	NeedBackup    = "backup"
	NeedRoom      = "room"
	NeedRemovable = "removable"
	NeedNemoClaw  = "nemoclaw"
)

// Problem is a precondition that does not hold, and where there is one, the command that helps.
type Problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

// Preconditions looks at everything that the upgrade of each target will need, and changes nothing. Targets for which
// all of it is there become entries; of the others every problem is in their outcome.
func (u *Upgrader) Preconditions(ctx context.Context, targets []Target) (ready []*Entry, refused []Outcome, err error) {
	asked := asked{}
	for _, t := range targets {
		check := &precheck{Upgrader: u, target: t, asked: asked}
		check.all(ctx)
		if err := context.Cause(ctx); err != nil {
			return nil, nil, err
		}
		if len(check.problems) == 0 {
			ready = append(ready, &check.entry)
			continue
		}
		refused = append(refused, Outcome{
			Name: t.Sandbox.Name, Workspace: t.Sandbox.Workspace, Gateway: t.Sandbox.Gateway, Outcome: Failed, Step: StepPreconditions,
			Reason: check.reason(), Problems: check.problems, Warnings: check.entry.Warnings,
			Busy: check.storeHeld && len(check.problems) == 1,
		})
	}
	return ready, refused, nil
}

// precheck is the look at one target.
type precheck struct {
	*Upgrader
	target   Target
	entry    Entry
	recipe   driver.Recipe
	problems []Problem
	asked    asked

	storeHeld bool // another run has the backups
}

func (p *precheck) problem(code, fix, format string, args ...any) {
	p.problems = append(p.problems, Problem{Code: code, Fix: fix, Detail: fmt.Sprintf(format, args...)})
}

func (p *precheck) reason() string {
	details := make([]string, 0, len(p.problems))
	for _, problem := range p.problems {
		details = append(details, problem.Code+": "+problem.Detail)
	}
	return "nothing was touched; " + strings.Join(details, "; ")
}

func (p *precheck) all(ctx context.Context) {
	sb := p.target.Sandbox
	p.entry = Entry{
		Run: p.runID(), Rehearse: p.Rehearsals, Name: sb.Name, Workspace: sb.Workspace, Gateway: sb.Gateway, Registered: sb.Registered, Way: p.target.Way, OldID: sb.ID, Begun: p.now().UTC(),
	}
	if sb.Row != nil {
		p.entry.Agent = sb.Row.Agent
	}
	if rule := sandboxname.CheckNew(sb.Name); rule != "" {
		p.problem(NeedName, "", "OpenShell would not create %q again: %s", sb.Name, rule)
	}
	if silent, ok := p.NemoClaw.(SilentNemoClaw); ok && p.target.Way == ByNemoClaw {
		p.problem(NeedNemoClaw, "nemoclaw --help", "it is NemoClaw's, and whether nemoclaw rebuilds it could not be learnt: %v", silent.Err)
	}
	container := p.container(ctx)
	if p.readRecipe(ctx) {
		p.entry.Request.Home = p.home(ctx, container)
		p.gateway(ctx)
		p.image(ctx)
		p.providers(ctx)
		p.beside(ctx)
	}

	if container {
		p.room(ctx)
		p.removable(ctx)
	}
	if err := p.Content.Check(ctx, sb); err != nil {
		_, p.storeHeld = errors.AsType[*store.LockedError](err)
		p.problem(NeedBackup, "", "%v", err)
	}
	p.entry.RollbackImage = rollbackPrefix + p.entry.Address() + ":" + p.entry.Run
}

func (u *Upgrader) runID() string {
	if u.RunID != nil {
		return u.RunID()
	}
	return NewRunID(u.now())
}

// container needs the sandbox's container: a rollback image can only be made of one on this host.
func (p *precheck) container(ctx context.Context) bool {
	sb := p.target.Sandbox
	if sb.Container == nil {
		p.problem(NeedContainer, "", "it has no container on this host, so nothing could be kept to go back to")
		return false
	}
	c, err := p.Engine.Inspect(ctx, sb.Container.ID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.problem(NeedContainer, "sandkeeper upgrade-sandboxes --only "+text.ShellWord(sb.Address()),
			"container %q is gone, or on another container engine (%s) than the sandboxes before it, and one run works with one engine", sb.Container.Name, sb.Container.Host)
		return false
	case err != nil:
		p.problem(NeedContainer, "", "%v", err)
		return false
	case len(sb.Rivals) > 1:
		p.problem(NeedContainer, "", "%d containers claim it", len(sb.Rivals))
		return false
	case c.Paused():
		p.problem(NeedContainer, c.Program()+" unpause "+c.Name, "container %q is paused", c.Name)
		return false
	}

	if p.entry.EngineID, err = p.Engine.Identity(ctx); err != nil {
		p.problem(NeedContainer, "", "a run that goes on must know the engine again, and %v", err)
		return false
	}
	p.entry.EngineHost = sb.Container.Host
	if c.AutoRemove {
		p.problem(NeedContainer, "", "container %q was made with --rm: the engine removes it, and all that is in it, as soon as it stops", c.Name)
	}
	p.entry.OldContainer, p.entry.ContainerName, p.entry.OldImageID, p.entry.Running = c.ID, c.Name, c.ImageID, c.Running()
	return true
}

// removable needs a container that the engine can remove: an entry that chattr has made immutable ends the deletion
// half way.
func (p *precheck) removable(ctx context.Context) {
	layered, ok := p.Engine.(home.Layered)
	if !ok {
		return
	}
	layer, err := layered.Layer(ctx, p.entry.OldContainer)
	if err != nil {
		return // the engine's own host knows, and we are not on it
	}
	if locked := layer.Locked(ctx, "/"); len(locked) > 0 {
		p.problem(NeedRemovable, "chattr -i -a "+strings.Join(locked, " "), "chattr has locked %d or more of its files, so the engine could not remove its container: %s",
			len(locked), strings.Join(locked, ", "))
	}
}

// readRecipe reads what is needed to make the sandbox again: for the new one, and for the way back.
func (p *precheck) readRecipe(ctx context.Context) bool {
	sb := p.target.Sandbox
	recipe, err := p.Recipes.Recipe(ctx, p.entry.place(), sb.Name)
	if err != nil {
		p.problem(NeedRecipe, "", "its recipe cannot be read from gateway %q: %v", sb.Gateway, err)
		return false
	}
	if sb.ID != "" && recipe.SandboxID != sb.ID {
		p.problem(NeedRecipe, "", "gateway %q has the recipe of another sandbox under its name: id %s, not %s", sb.Gateway, recipe.SandboxID, sb.ID)
		return false
	}
	request, err := recipe.Request()
	if err == nil && p.Chain != nil {
		old := p.entry
		old.OldID = recipe.SandboxID
		request, err = p.Chain.Baseline(request, old.reference(recipe.SandboxID))
	}

	if err != nil {
		p.problem(NeedRecipe, "", "%v", err)
		return false
	}
	p.recipe, p.entry.Request, p.entry.OldID, p.entry.Image = recipe, request, recipe.SandboxID, recipe.Image
	if c := sb.Container; c != nil && c.Labels[classify.OriginLabel] != "" {
		p.entry.Image = c.Labels[classify.OriginLabel] // it came back from a rollback image: the way forward is the image before that
	}
	return true
}

// gateway needs a driver that lists the sandbox, so that what is done to it can be seen.
func (p *precheck) gateway(ctx context.Context) {
	j, err := p.job(ctx, &p.entry)
	if err != nil {
		p.problem(NeedGateway, "", "%v", err)
		return
	}
	record, found, err := j.listed(ctx)
	switch {
	case err != nil:
		p.problem(NeedGateway, "", "%v", err)
	case !found || record.ID != p.entry.OldID:
		p.problem(NeedGateway, "", "gateway %q does not list it under its id %s", p.entry.Gateway, p.entry.OldID)
	}
}

func (p *precheck) providers(ctx context.Context) {
	names := p.recipe.Providers
	if len(names) == 0 {
		return
	}
	if p.Providers == nil {
		p.entry.warn(fmt.Sprintf("whether its providers (%s) still exist was not looked at", strings.Join(names, ", ")))
		return
	}
	missing, err := p.Providers(ctx, p.entry.place(), names)
	switch {
	case err != nil:
		p.problem(NeedProviders, "", "its providers cannot be looked up: %v", err)
	case len(missing) > 0:
		p.problem(NeedProviders, "", "gateway %q has no provider %s any more", p.entry.Gateway, strings.Join(missing, ", "))
	}
}

// program is the command of the engine that has the sandbox.
func (p *precheck) program() string { return engine.Program(p.entry.EngineID, p.entry.EngineHost) }

func (p *precheck) room(ctx context.Context) {
	if p.Room == nil {
		p.entry.warn("whether the container engine has room for the rollback image was not looked at")
		return
	}
	err := p.Room(ctx, p.entry.OldContainer)
	switch {
	case errors.Is(err, engine.ErrRoomUnknown):
		p.entry.warn(err.Error())
	case err != nil:
		p.problem(NeedRoom, p.program()+" system df", "%v", err)
	}
}
