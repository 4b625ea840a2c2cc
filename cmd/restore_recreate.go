package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/preflight"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// restored is what a restore did. Recreated is nil unless the sandbox was made again.
type restored struct {
	restore.Summary
	Recreated *recreated `json:"recreated,omitempty"`
}

// recreated is what was made, or in a dry run would be.
type recreated struct {
	ID        string   `json:"id"` // "" in a dry run
	Gateway   string   `json:"gateway"`
	Workspace string   `json:"workspace"`
	Image     string   `json:"image"`
	RecipeOf  string   `json:"recipeOf"` // the backup whose recipe it was made from
	Running   bool     `json:"running"`  // how it was left
	Resumed   bool     `json:"resumed"`  // an earlier run had begun it
	Providers []string `json:"providers"`
	Withheld  []string `json:"withheld"` // variables whose values the recipe does not hold
}

func newRecreated(order recreate.Order, recipeOf string) *recreated {
	r := order.Recipe
	return &recreated{
		Gateway: r.Gateway, Workspace: driver.Place{Workspace: r.Workspace}.WorkspaceName(), Image: r.Image, RecipeOf: recipeOf,
		Running: order.Running, Providers: append([]string{}, r.Providers...), Withheld: append([]string{}, r.Withheld...),
	}
}

func (o *restoreOptions) validRecreate() error {
	switch {
	case !o.recreate:
		return nil
	case o.to != "":
		return usage("restore into another sandbox that is there, without --recreate", "--recreate makes the sandbox under its own name, so it takes no --to")
	case o.scope != string(restore.ScopeFull):
		return usage("leave --scope out", "--recreate puts the whole home back")
	case o.settle < 0 || o.readyLimit <= 0:
		return usage("give durations such as 10s and 5m", "--settle must not be negative, and --ready-limit must be positive")
	}
	return nil
}

// again is the command line that goes on with this one.
func (o *restoreOptions) again() string {
	words := []string{"sandkeeper restore", o.app.stores.written(o.name), "--recreate"}
	if o.id != store.Latest {
		words = append(words, "--backup", o.id)
	}
	return strings.Join(words, " ") + o.from()
}

// runRecreate makes a sandbox that is gone again, from the recipe beside its backup, and puts its home back.
func (o *restoreOptions) runRecreate(ctx context.Context, st *store.Store, b store.Backup, identities archive.Identities) (found *answer, err error) {
	a, found := o.app, &answer{}
	if b, err = o.goOn(ctx, st, b); err != nil {
		return found, err
	}
	order := recreate.Order{Store: st, Backup: b, Identities: identities}
	order.Again = fmt.Sprintf("sandkeeper restore %s --recreate --backup %s%s", b.Series().Address(), b.ID, o.from())
	recipeOf, err := o.recipe(ctx, &order)
	if err != nil {
		return found, err
	}
	seen, err := o.judge(ctx, order.Recipe.Gateway, found)
	if err != nil {
		return found, err
	}
	if !o.dryRun {
		request := restore.Request{Store: st}
		lock, err := o.lock(&request)
		if err != nil {
			return found, err
		}
		defer func() { _ = lock.Unlock() }() // the kernel takes it back in any case
	}

	m, err := a.maker(ctx, seen, o.dryRun)
	if err != nil {
		return found, err
	}
	defer func() { err = joined(err, m.close()) }()
	m.Settle, m.ReadyLimit, m.Stall = settleOf(o.settle), o.readyLimit, o.stall
	made := newRecreated(order, recipeOf.ID)
	if o.dryRun {
		return found, o.foretellRecreate(ctx, m, order, made, found)
	}
	return found, o.make(ctx, m, order, made, found)
}

// goOn is the backup that an earlier run began with, where no other one is asked for: a later one may be the latest by
// now. It is b where nothing was begun, and must be whole.
func (o *restoreOptions) goOn(ctx context.Context, st *store.Store, b store.Backup) (store.Backup, error) {
	if state := stateDir(o.app.Env); o.id == store.Latest && state != "" {
		if begun := recreate.Begun(state, b.Series(), st.Root()); begun != "" && begun != b.ID {
			var err error
			if b, err = st.Find(b.Sandbox, begun); err != nil {
				return b, err
			}
			if b, err = o.off.bring(ctx, st, b); err != nil {
				return b, err
			}
		}
	}

	if !b.Whole() {
		return b, b.Damage
	}
	return b, nil
}

// judge is the preflight of the one gateway that the sandbox is made on.
func (o *restoreOptions) judge(ctx context.Context, gateway string, found *answer) (survey.Gateways, error) {
	host := o.app.host
	registry, err := host.Registry()
	if err != nil {
		return nil, err
	}
	binding := sandbox.Binding{Gateway: gateway}
	for _, recorded := range host.Bindings(registry) {
		if recorded.Gateway == gateway {
			binding = recorded
		}
	}

	action := preflight.Action{Phrase: preflight.Checking().Phrase, Command: o.again()}
	seen := host.Judge(ctx, action, []sandbox.Binding{binding})
	found.preflight = survey.Survey{Gateways: seen}.Report()
	return seen, o.app.gate.admit(seen, action, o.allowUnverified)
}

// recipe finds the recipe: that of the backup, else the newest one of the same series. It says how the sandbox is left.
func (o *restoreOptions) recipe(ctx context.Context, order *recreate.Order) (of store.Backup, err error) {
	of = order.Backup
	text, err := order.Store.Recipe(of, order.Identities)
	if errors.Is(err, fs.ErrNotExist) {
		if of, err = order.Store.NewestRecipe(order.Backup.Series()); errors.Is(err, fs.ErrNotExist) {
			return of, o.noRecipe(order.Backup)
		}
		if err == nil {
			of, err = o.off.bring(ctx, order.Store, of)
		}
		if err == nil {
			text, err = order.Store.Recipe(of, order.Identities)
		}
	}

	if err != nil {
		return of, err
	}
	if order.Recipe, err = driver.ReadRecipe(text); err != nil {
		return of, fmt.Errorf("backup %s: %w", of.ID, err)
	}
	order.Running = order.Backup.Manifest.Consistency != archive.ConsistencyStopped
	if of.ID == order.Backup.ID && order.Recipe.Phase != "" {
		order.Running = order.Recipe.Phase != "Stopped" && order.Recipe.Phase != "Stopping"
	} else if of.ID != order.Backup.ID {
		o.app.term.warn("backup %s keeps no recipe%s; that of backup %s is taken", order.Backup.ID, why(order.Backup), of.ID)
	}

	return of, nil
}

// why says why a backup keeps no recipe, as far as its manifest tells.
func why(b store.Backup) string {
	switch recipe := b.Manifest.Recipe; {
	case recipe != nil && recipe.Untold != "":
		return ": its gateway did not tell it (" + recipe.Untold + ")"
	case b.Manifest.Inventory == "containers":
		return ": it was made with --offline, which asks no gateway"
	}
	return ""
}

// noRecipe names what is missing, and the commands that make the sandbox by hand.
func (o *restoreOptions) noRecipe(b store.Backup) error {
	m, origin := b.Manifest, archive.Origin{}
	if m.Recipe != nil {
		origin = *m.Recipe
	}
	lacks := []string{"the policy's exact form"}
	if len(origin.Env) > 0 {
		lacks = append([]string{"the values of " + strings.Join(origin.Env, ", ")}, lacks...)
	}
	reason := why(b)
	if reason == "" {
		reason = ": its gateway was not asked, or an earlier version made it"
	}
	of := b.Series()
	create := []string{sandbox.Sandbox{Name: of.Name, Gateway: of.Gateway, Workspace: of.Workspace}.Invocation("create --name")}
	if m.Image.Reference != "" {
		create = append(create, "--from", m.Image.Reference)
	}
	for _, provider := range origin.Providers {
		create = append(create, "--provider", provider)
	}
	return &Failure{
		Code: ExitNotFound, Kind: "not_found",
		Err: fmt.Errorf("neither backup %s nor an older one of sandbox %q keeps a recipe%s; what is missing: %s", b.ID, of.Address(), reason, strings.Join(lacks, ", ")),
		Hint: fmt.Sprintf("while a gateway still lists the sandbox, sandkeeper backup-all --only %s keeps one; else make it by hand: %s\nthen put its home back: sandkeeper restore %s --backup %s%s",
			of.Address(), strings.Join(create, " "), of.Address(), b.ID, o.from()),
	}
}

func (o *restoreOptions) foretellRecreate(ctx context.Context, m *making, order recreate.Order, made *recreated, found *answer) error {
	resumes, err := m.Check(ctx, order)
	if err != nil {
		return notMade(err, o.again())
	}
	if err := order.Store.Prove(ctx, order.Backup, order.Identities); err != nil {
		return err
	}
	made.Resumed = resumes
	manifest := order.Backup.Manifest
	result := restored{Summary: restore.Summary{
		Sandbox: order.Recipe.Name, Workspace: order.Recipe.Workspace, From: manifest.Sandbox, Backup: order.Backup.ID, Scope: restore.ScopeFull, Home: manifest.Home, DryRun: true,
		Files: manifest.Content.Files, Entries: manifest.Content.Entries, Bytes: manifest.Content.Bytes,
	}, Recreated: made}
	found.result = result
	found.text = func(term *terminal) { renderRecreated(term, result) }
	return nil
}

func (o *restoreOptions) make(ctx context.Context, m *making, order recreate.Order, made *recreated, found *answer) error {
	a := o.app
	// Everything is proven before a sandbox is made for it.
	if err := order.Store.Prove(ctx, order.Backup, order.Identities); err != nil {
		return err
	}
	progress := a.term.progress()
	m.Moving = func(e home.Event) { a.term.showProgress(progress, e) }
	outcome, err := m.Make(ctx, order)
	progress.Close()
	made.ID, made.Resumed = outcome.ID, outcome.Resumed
	result := restored{Summary: outcome.Home, Recreated: made}
	if result.Sandbox == "" { // its home was put back by an earlier run
		result.Summary = restore.Summary{
			Sandbox: order.Recipe.Name, Workspace: order.Recipe.Workspace, From: order.Backup.Sandbox, Backup: order.Backup.ID, Scope: restore.ScopeFull, Home: order.Backup.Manifest.Home, Done: err == nil,
			Files: order.Backup.Manifest.Content.Files, Bytes: order.Backup.Manifest.Content.Bytes,
		}
	}

	result.Warnings = append(result.Warnings, outcome.Warnings...)
	if outcome.ID != "" {
		found.result = result
	}
	if err != nil {
		return notRestored(notMade(err, o.again()))
	}
	found.text = func(term *terminal) { renderRecreated(term, result) }
	return nil
}
