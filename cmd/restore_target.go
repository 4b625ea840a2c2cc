package cmd

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// target finds the sandbox to restore into: by its container where there is one, so that neither a gateway is needed
// nor trusted; else through its gateway, after the preflight.
func (o *restoreOptions) target(ctx context.Context, found *answer) (restore.Request, error) {
	a, name := o.app, o.name
	if o.to != "" {
		name = o.to
	}
	request := restore.Request{Scope: restore.Scope(o.scope), EngineWay: o.way == wayEngine, DryRun: o.dryRun, Consent: o.yes, Stall: o.stall}
	seen, err := a.host.LookOffline(ctx, a.stores.recorded(o.store))
	var several error
	if err == nil {
		var sb sandbox.Sandbox
		var one bool
		if sb, one, several = named(seen.Inventory, name); one && sb.Route == sandbox.ByContainer {
			request.Target, request.Engine = sb, seen.Engines.Of(*sb.Container)
			return request, nil
		}
	}

	request.Engine, _ = a.host.Engines(ctx).Main()
	request, err = o.targetByGateway(ctx, request, name, found)
	if err != nil && several != nil {
		err = several // a gateway may know that one of the containers is nobody's; without it they are two
	}
	return request, err
}

func (o *restoreOptions) targetByGateway(ctx context.Context, request restore.Request, name string, found *answer) (restore.Request, error) {
	a := o.app
	seen, err := a.gate.look(ctx, found, survey.Question{
		Action: preflight.Action{Phrase: preflight.Checking().Phrase, Command: "sandkeeper restore " + a.stores.written(o.name) + o.from()}, AllowUnverified: true, Recorded: a.stores.recorded(o.store),
	})
	if err != nil {
		return request, err
	}
	sb, one, err := named(seen.Inventory, name)
	switch {
	case err != nil:
		return request, err
	case !one:
		return request, o.noSandbox(a.stores.written(name))
	case sb.Route == sandbox.NoRoute:
		return request, fmt.Errorf("sandbox %q cannot be written to: %s", sb.Address(), sb.Reason)
	}

	request.Target = sb
	if sb.Container != nil {
		request.Engine = seen.Engines.Of(*sb.Container)
	}
	if cli := a.host.CLI(seen.Gateways); cli != nil {
		request.CLI = cli
	}
	return request, nil
}

// noSandbox says how a sandbox comes back that is not there.
func (o *restoreOptions) noSandbox(name string) *Failure {
	f := notFound("there is no sandbox %q to restore into", name)
	f.Hint = fmt.Sprintf("sandkeeper restore %s --recreate%s makes it again from the recipe beside its backup", name, o.from())
	if o.to != "" {
		f.Hint = "create it first, then run this again"
	}
	return f
}

// named is the one sandbox of that name. Two in two workspaces, or on two gateways, are not one: the error names them.
func named(inventory sandbox.Inventory, name string) (sb sandbox.Sandbox, one bool, err error) {
	var matches []sandbox.Sandbox
	var said []string
	for _, sb := range inventory.Sandboxes {
		if sb.Answers(name) && sb.Standing != sandbox.Orphaned {
			matches, said = append(matches, sb), append(said, whole(seriesOf(sb)))
		}
	}

	switch len(matches) {
	case 0:
		return sb, false, nil
	case 1:
		return matches[0], true, nil
	}

	return sb, false, usage("write workspace/name, or add -g GATEWAY", "%q is the name of %d sandboxes: %s", name, len(matches), strings.Join(said, ", "))
}

func seriesOf(sb sandbox.Sandbox) store.Series {
	return store.Series{Gateway: sb.Gateway, Workspace: sb.Workspace, Name: sb.Name}
}

// whole is the full name of a sandbox, with its gateway where that is known.
func whole(of store.Series) string {
	name := cmp.Or(of.Workspace, sandbox.DefaultWorkspace) + "/" + of.Name
	if of.Gateway != "" {
		name += fmt.Sprintf(" on gateway %q", of.Gateway)
	}
	return name
}

// sameSandbox refuses a backup of another workspace's or gateway's sandbox of the same name, unless --to says where it
// goes: nobody has asked for another's memory and tokens.
func (o *restoreOptions) sameSandbox(b store.Backup, sb sandbox.Sandbox) error {
	if o.to != "" || !b.Whole() || b.Series().Is(seriesOf(sb)) {
		return nil
	}
	to := cmp.Or(sb.Workspace, sandbox.DefaultWorkspace) + "/" + sb.Name
	return usage("to put it there all the same: --to "+to+" --backup "+b.ID, "backup %s is of %s, and the sandbox that is there is %s", b.ID, whole(b.Series()), whole(seriesOf(sb)))
}
