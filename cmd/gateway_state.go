package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sandkeeper/backup/gatewaystate"
	"sandkeeper/backup/store"
	"sandkeeper/gateway"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/size"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
	"sandkeeper/upgrade/classify"
)

// saveGatewayStates saves the state of every gateway of the run. It reads files only, so it is done under --offline as
// well, and what goes wrong is a warning: it never makes the run of the sandboxes fail.
func (o *backupAllOptions) saveGatewayStates(ctx context.Context, st *store.Store, seen survey.Survey) *gatewaystate.States {
	if o.noGatewayState || o.dryRun {
		return nil
	}
	var states []gatewaystate.State
	for _, binding := range o.app.host.Bindings(seen.Registry) {
		state, saved := o.app.saveGatewayState(ctx, binding, seen.Gateways, gatewaystate.Saving{
			Store: st, Label: o.label, Recipients: o.capture.encryptTo, Plain: o.capture.allowPlaintext, Skipped: o.skip.codes,
		})
		same := func(s gatewaystate.State) bool { return s.Gateway == state.Gateway } // two rows can name it in two ways
		if !saved || slices.ContainsFunc(states, same) {
			continue
		}
		if o.verify && state.Backup != nil {
			o.app.term.orWarn(proveState(ctx, st.Gateways(), state.Gateway, state.Backup.ID))
		}
		states = append(states, state)
	}
	return gatewaystate.Collect(states)
}

// saveGatewayState saves the state of one gateway; false where that is not of this host. What goes wrong is a warning.
func (a *app) saveGatewayState(ctx context.Context, binding sandbox.Binding, seen survey.Gateways, s gatewaystate.Saving) (state gatewaystate.State, saved bool) {
	options := a.host.Options(binding)
	target := gateway.ChooseTarget(ctx, options)
	if target.Err != nil || target.Remote {
		return state, false
	}
	s.Name, s.Home, s.Places = target.Name, a.Env.Home(), gateway.StatePlaces(ctx, options, target)
	s.Extra, s.Launch = a.providerProfiles(ctx, seen, target.Name), launchOf(ctx, options, target)
	s.Versions = versionsOf(seen, classify.Probes{})(ctx, sandbox.Sandbox{Gateway: target.Name})
	state = gatewaystate.Save(ctx, s)
	if state.Status == string(store.Failed) {
		a.term.warn("the state of gateway %q is %s: %s", target.Name, savedWord(state), state.Reason)
	}
	for _, warning := range state.Warnings {
		a.term.warn("gateway %q: %s", target.Name, warning)
	}
	return state, true
}

// savedWord says how much of a state whose saving failed there is.
func savedWord(state gatewaystate.State) string {
	if state.Backup != nil {
		return "saved in part only"
	}
	return "not saved"
}

// proveState reads what was saved of a gateway back, to its last byte.
func proveState(ctx context.Context, st *store.Store, name, id string) error {
	b, err := st.Find(name, id)
	if err == nil {
		_, err = verifyOne(ctx, selection{store: st, gateway: name}, b, store.VerifyOptions{ReadData: true})
	}
	return err
}

// providerProfiles are the profiles that the CLI can export; none where no gateway may be asked.
func (a *app) providerProfiles(ctx context.Context, gateways survey.Gateways, name string) map[string][]byte {
	files := map[string][]byte{}
	cli := a.host.CLI(gateways)
	if cli == nil {
		return files
	}
	profiles, missing := cli.ProviderProfiles(ctx, name)
	for id, content := range profiles {
		files["provider-profiles/"+id+".yaml"] = content
	}
	for id, why := range missing {
		a.term.note("provider profile %s of gateway %q is not saved: %s", id, name, why)
	}
	return files
}

// renderGatewayStates says what of the gateways is saved, and which keys are not.
func renderGatewayStates(term *terminal, states *gatewaystate.States) {
	if states == nil {
		return
	}
	for _, s := range append([]gatewaystate.State{states.State}, states.Others...) {
		if s.Backup == nil {
			continue
		}
		line := fmt.Sprintf("gateway state of %s: %s, %s on disk, id %s", s.Gateway, fileCount(s.Backup.Files), size.Text(s.Backup.Bytes), s.Backup.ID)
		if n := len(s.Omitted); n > 0 {
			line += fmt.Sprintf("; %s not in it (--json lists what and says why)", size.Count(n, "file is", "files are"))
		}
		term.printf("%s", line)
	}
}

// restoreGatewayState puts a gateway's state back while that gateway is stopped.
func (o *restoreOptions) restoreGatewayState(ctx context.Context) (_ *answer, err error) {
	a := o.app
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	store, off, err := o.openSource(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, off.close()) }()
	b, err := store.Gateways().Find(o.gatewayState, o.id)
	if err != nil {
		return nil, gatewayStateMissing(o.gatewayState, err)
	}
	if b, err = off.bring(ctx, store.Gateways(), b); err != nil {
		return nil, err
	}
	options := a.host.Options(sandbox.Binding{})
	options.Gateway = o.gatewayState
	target := gateway.ChooseTarget(ctx, options)
	request := gatewaystate.Restoring{
		Store: store, Backup: b, Identities: identities, Places: gateway.StatePlaces(ctx, options, target), DryRun: o.dryRun,
		Stopped: func(ctx context.Context) error { return gateway.CheckStopped(ctx, options, target) },
	}
	if a.Env.StateHome() != "" {
		request.Journal = journal.RestoringDir(a.Env.StateHome())
	}
	if err := o.agreeToState(ctx, request); err != nil {
		return nil, err
	}
	lock, err := store.Gateways().Lock("restore --gateway-state " + o.gatewayState)
	if err != nil {
		return nil, err
	}
	defer func() { _ = lock.Unlock() }() // the kernel takes it back in any case
	restored, err := gatewaystate.Restore(ctx, request)
	found := &answer{result: restored, text: func(term *terminal) { renderGatewayRestored(term, restored) }}
	if running, ok := errors.AsType[*gatewaystate.RunningError](err); ok {
		return found, &Failure{Code: ExitRefused, Kind: "check_failed", Err: fmt.Errorf("gateway %q: %w", o.gatewayState, running), Hint: "stop the gateway, then run this command again"}
	}
	return found, err
}

// agreeToState refuses under a running gateway before it asks whether what is there may be replaced.
func (o *restoreOptions) agreeToState(ctx context.Context, request gatewaystate.Restoring) error {
	a := o.app
	if err := request.Stopped(ctx); err != nil || o.dryRun || o.yes {
		return nil // the restore itself says so
	}
	return a.term.ask(ctx, question{
		text:     fmt.Sprintf("The state of gateway %q is replaced by backup %s.\nWhat is there now is kept aside. Replace it?", o.gatewayState, request.Backup.ID),
		unasked:  fmt.Sprintf("gateway %q: its state would be replaced", o.gatewayState),
		flags:    "add --yes, or --dry-run to look first",
		declined: a.term.nothingWas("restored"),
	})
}

func gatewayStateMissing(name string, err error) error {
	if _, ok := errors.AsType[*store.NotFoundError](err); !ok {
		return err
	}
	return &Failure{Code: ExitNotFound, Kind: "not_found", Err: fmt.Errorf("there is no such saved state of gateway %q", name), Hint: listHint}
}

func renderGatewayRestored(term *terminal, r gatewaystate.Restored) {
	verb := "put back"
	if r.DryRun {
		verb = "would put back"
	}
	for _, path := range r.Restored {
		if r.Done || r.DryRun {
			term.printf("%s: %s", verb, path)
		}
	}

	for _, path := range r.Kept {
		term.printf("kept: %s", path)
	}
	for _, x := range r.Missing {
		term.printf("not in the backup: %s (%s)", x.Path, x.Reason)
	}
	if r.Done {
		term.printf("The state of gateway %s is that of backup %s. Start it, then: sandkeeper gateway wait -g %s", r.Gateway, r.Backup, r.Gateway)
	}
	if r.DryRun {
		term.printf("Dry run. %s", term.nothing("changed"))
	}
}

// gatewayStates lists the saved states of all gateways, newest first.
func gatewayStates(store *store.Store, off *offHost) ([]listed, error) {
	states := []listed{}
	inner := store.Gateways()
	names, err := inner.Sandboxes()
	if err != nil {
		return states, err
	}
	for _, name := range names {
		backups, err := inner.Backups(name)
		if err != nil {
			return states, err
		}
		for _, b := range backups {
			l := newListed(b, off)
			l.Sandbox, l.Gateway = "", name
			states = append(states, l)
		}
	}

	return states, nil
}
