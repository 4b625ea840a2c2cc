package migrate

import (
	"context"

	"sandkeeper/backup/store"
	"sandkeeper/sandbox"
)

// save makes the first backup of one sandbox, while it runs on.
func (e *exporting) save(ctx context.Context, in Input, seen Seen) {
	m, plan := memberOf(seen), judge(seen)
	err := context.Cause(ctx)
	if err == nil {
		err = e.look(ctx, &m, seen.Sandbox)
	}
	earlier := in.Set.member(m.Workspace, m.Name)
	m.carryOver(earlier, in.new())
	if err == nil {
		err = e.first(ctx, &m, seen.Sandbox)
	}
	lost := e.keepBeside(ctx, &m, seen.Sandbox, earlier)
	outcome := ExportedMember{
		Name: m.Name, Workspace: m.Workspace, Status: Failed, Backup: m.Backup, Container: m.ContainerName, WasRunning: m.Running,
		Lost: append(lost, plan.NotCarried...), Refused: plan.Refused,
	}
	if err != nil {
		outcome.err, outcome.Reason, m.Problem = err, err.Error(), err.Error()
	}
	e.set.Sandboxes, e.outcome = append(e.set.Sandboxes, m), append(e.outcome, outcome)
}

func (e *exporting) first(ctx context.Context, m *Member, sb sandbox.Sandbox) error {
	e.say(*m, "saving")
	saved, err := e.Save(ctx, sb)
	if err == nil {
		e.keep(m, saved)
	}
	return err
}

// look sees how the container is before anything is done to it.
func (e *exporting) look(ctx context.Context, m *Member, sb sandbox.Sandbox) (err error) {
	on := e.engineOf(sb)
	if on == nil {
		return nil
	}
	if m.Engine, err = on.Identity(ctx); err != nil {
		return err
	}
	c, err := on.Inspect(ctx, sb.Container.ID)
	m.Started = c.Started
	return err
}

func (e *exporting) engineOf(sb sandbox.Sandbox) Engine {
	if sb.Container == nil {
		return nil
	}
	return e.EngineOf(*sb.Container)
}

// keep notes a backup as the newest of the sandbox.
func (e *exporting) keep(m *Member, saved store.Backup) {
	m.Backup, m.Home, m.RecipeIn = saved.ID, saved.Manifest.Home, ""
	if saved.Manifest.RecipeFile != nil {
		m.RecipeIn = saved.ID
	} else if e.WithRecipe != nil {
		m.RecipeIn = e.WithRecipe(e.set.Series(*m))
	}

	if m.Image == "" {
		m.Image = saved.Manifest.Image.Reference
	}
}

// memberOf is what is known of a sandbox before it is saved.
func memberOf(seen Seen) Member {
	sb := seen.Sandbox
	m := Member{Name: sb.Name, Workspace: sb.Workspace, ID: sb.ID, Home: seen.Home, Running: runs(sb)}
	if sb.Container != nil {
		m.Container, m.ContainerName = sb.Container.ID, sb.Container.Name
		m.Image, m.Host = sb.Container.Image, sb.Container.Host
	}
	if seen.Recipe != nil {
		m.Labels, m.Providers, m.Image = seen.Recipe.Labels, seen.Recipe.Providers, seen.Recipe.Image
	}
	return m
}
