package migrate

import (
	"context"
	"maps"
	"slices"
	"strings"

	"sandkeeper/internal/journal"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
)

// make makes the sandbox, or goes on with what a run that was killed has begun.
func (i *Importer) make(ctx context.Context, m Member, record *journal.Record[imported], outcome *ImportedMember) error {
	order, err := i.Prepare(ctx, m)
	if err != nil {
		return err
	}
	order.Again = i.Again
	if outcome.Lost, err = i.adapt(m, &order); err != nil {
		return err
	}
	entry := imported{Gateway: i.Gateway, Workspace: m.Workspace, Name: i.name(m), From: i.Set.Gateway, OldID: m.ID, Backup: m.Backup, Started: m.Started, Begun: i.now()}
	if record.Found && record.Value.Backup == m.Backup {
		entry.NewID = record.Value.NewID
	}
	if err := i.note(record, &entry); err != nil {
		return err
	}
	maker := *i.Maker
	maker.Progress = func(_ string, step recreate.Step) { i.follow(record, &entry, m, step) }
	made, err := maker.Make(ctx, order)
	outcome.ID, outcome.Resumed = made.ID, made.Resumed
	if err != nil {
		return err
	}
	for _, name := range made.Withheld {
		outcome.Lost = append(outcome.Lost, Item{Code: "variable", Detail: "the value of " + name + ", which its recipe does not hold"})
	}
	for _, warning := range made.Warnings {
		outcome.Lost = append(outcome.Lost, Item{Code: "warning", Detail: warning})
	}
	if err := i.giveBack(ctx, m, outcome); err != nil {
		return err
	}
	entry.NewID, entry.Done = made.ID, true
	if err := i.note(record, &entry); err != nil {
		return err
	}
	outcome.Status = ImportedNow
	return nil
}

// follow notes the id of what was made as soon as the recreation knows it: by it a later run recognises a sandbox that
// is whole.
func (i *Importer) follow(record *journal.Record[imported], entry *imported, m Member, step recreate.Step) {
	if seen, found, err := recreate.Unfinished(i.State).Look(entry.key()); err == nil && found && seen.Value.NewID != entry.NewID {
		entry.NewID = seen.Value.NewID
		_ = i.note(record, entry) // the recreation's own record has it as long as it is needed
	}
	if i.Progress != nil {
		i.Progress(m.Address(), step)
	}
}

func (i *Importer) note(record *journal.Record[imported], entry *imported) error {
	entry.Updated = i.now()
	return record.Put(*entry)
}

// adapt fits a recipe to the new gateway, and names what is left out.
func (i *Importer) adapt(m Member, order *recreate.Order) (lost []Item, err error) {
	r := &order.Recipe
	r.Name, r.Gateway, r.Workspace, r.SandboxID = i.name(m), i.Gateway, m.Workspace, m.ID
	order.Running = m.Running
	seen := Seen{Sandbox: sandbox.Sandbox{Name: m.Name, Workspace: m.Workspace, Route: sandbox.ByContainer}, Home: m.Home, ImageHere: true}
	if m.RecipeIn != "" {
		seen.Recipe = r
	}
	lost = judge(seen).NotCarried
	r.Annotations = maps.Clone(r.Annotations)
	for _, key := range slices.Sorted(maps.Keys(r.Annotations)) {
		if strings.HasPrefix(key, ownAnnotations) {
			delete(r.Annotations, key)
			lost = append(lost, Item{Code: "annotation", Detail: key + ": it is the gateway's own, and 0.1.x refuses it"})
		}
	}

	if !i.WithoutDriverConfig {
		return lost, nil
	}
	for _, item := range judge(seen).Refused {
		if slices.Contains([]string{"bind-mount", "volume-mount", "driver-config"}, item.Code) {
			lost = append(lost, Item{Code: item.Code, Detail: "left out: " + item.Detail})
		}
	}

	*r, err = r.WithoutDriverConfig()
	return lost, err
}

// ownAnnotations begins annotations that OpenShell refuses since 0.1.5 (docs/facts/openshell-0.1.md 0).
const ownAnnotations = "internal.openshell.ai/"
