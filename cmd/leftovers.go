package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sandkeeper/backup/drill"
	"sandkeeper/backup/home"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/ui"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// leftovers puts right what killed runs have left on this host, or tells of it.
type leftovers struct {
	term   *terminal
	host   *survey.Host
	stores *stores
}

// clearUp is the first thing that every command does: what killed runs have left is put right, or told. It costs a few
// failed opens when there is nothing, and it never stops the command that the operator asked for. mayAsk is false for a
// command that asks no gateway.
func (l *leftovers) clearUp(ctx context.Context, mayAsk bool) {
	state := l.term.Env.StateHome()
	if state == "" {
		return
	}
	restoring := journal.RestoringDir(state)
	l.unpauseLeftovers(ctx, journal.Pauses(journal.PausedDir(state)))
	l.tellRestores(ctx, restoring, mayAsk)
	l.finishExecRestores(ctx, restoring, mayAsk)
	l.takeBackGatewayStates(ctx, restoring)
	l.tellRecreations(stateDir(l.term.Env))
	l.tellDrills(drill.Dir(state))
}

// unpauseLeftovers lets containers go on that a killed run left paused.
func (l *leftovers) unpauseLeftovers(ctx context.Context, shelf journal.Shelf[journal.Pause]) {
	found, left := home.Recover(ctx, shelf, home.Dialer(l.term.Env))
	l.tellLeftAlone("a paused container", left)
	for _, r := range found {
		switch {
		case errors.Is(r.Err, journal.ErrOther):
			l.term.warn("%v; %s stays until that engine answers there again, or is removed by hand", r.Err, shelf.Path(r.Pause.Container))
		case r.Err != nil:
			l.term.warn("%v; it is tried again by the next run, or: %s unpause %s", r.Err, engine.Program(r.Pause.Engine, r.Pause.Host), r.Pause.Container)
		case r.Unpaused:
			l.term.cleared.note(true, false)
			fmt.Fprintf(l.term.Err, "unpaused container %s, which a run that was killed had left paused for %s\n", ui.Clean(r.Pause.Name), ui.Age(time.Since(r.Pause.At)))
		}
	}
}

// tellLeftAlone names the records that are not acted on. That another run is at work on something is no trouble.
func (l *leftovers) tellLeftAlone(what string, left []error) {
	for _, err := range left {
		if _, held := errors.AsType[*journal.HeldError](err); held {
			l.term.note("the record of %s is left alone: %v", what, err)
			continue
		}
		l.term.warn("the record of %s is left alone: %v", what, err)
	}
}

// tellRestores brings back the containers of restores that were killed, and says which homes are half done and how they
// become whole.
func (l *leftovers) tellRestores(ctx context.Context, dir string, mayAsk bool) {
	shelf := journal.Restores(dir)
	bringing := restore.Recoverer{Dial: restore.RestartDialer(l.term.Env), Keep: restore.KeepLocked(func(root string) (*store.Store, error) {
		return store.Open(root, store.Options{Tool: version().Version, UID: l.term.UID})
	})}
	if mayAsk {
		gateways := &driver.Gateways{Open: l.host.Connect(nil)}
		defer gateways.Close()
		bringing.Switch = gateways
	}

	found, left := bringing.Recover(ctx, shelf)
	l.tellLeftAlone("a restore", left)
	for _, i := range found {
		l.term.cleared.note(i.Started, i.Mended || i.Exchanged)
		switch {
		case i.Half:
			l.term.warn("a restore of backup %s into sandbox %q, begun %s ago, did not end: %s in container %s may be half old and half new%s",
				i.Backup, addressOf(i), ui.Age(time.Since(i.At)), i.Home, i.Name, leftStopped(i))
			if i.Previous != "" {
				l.term.warn("to put back what was there before, credentials included: %s", l.restoreLine(i, addressOf(i), i.Previous, restore.ScopeFull))
			}
			l.term.warn("to finish that restore: %s", l.restoreLine(i, sandbox.Address(i.FromWorkspace, i.From), i.Backup, restore.Scope(i.Scope)))
		case errors.Is(i.Err, journal.ErrOther):
			l.term.warn("%v; %s stays until that engine answers there again, or is removed by hand", i.Err, shelf.Path(i.Container))
		case i.Err != nil && i.Exchange != nil:
			l.term.warn("%v; it is tried again by the next run", i.Err)
		case i.Err != nil && i.Through != nil:
			l.term.warn("%v; it is tried again by the next run, or: %s", i.Err, startOf(i).Invocation("start"))
		case i.Err != nil:
			l.term.warn("%v; it is tried again by the next run, or: %s start %s", i.Err, engine.Program(i.Engine, i.Host), i.Container)
		case i.Mended:
			fmt.Fprintf(l.term.Err, "took back a restore of backup %s into sandbox %s that was killed while it exchanged a volume: what was there before is in place\n",
				ui.Clean(i.Backup), ui.Clean(addressOf(i)))
		case i.Exchanged:
			fmt.Fprintf(l.term.Err, "ended a restore of backup %s into sandbox %s that was killed after the new home was in place; what was there before is a backup now (before-restore)\n",
				ui.Clean(i.Backup), ui.Clean(addressOf(i)))
		case i.Started:
			fmt.Fprintf(l.term.Err, "started container %s, which a restore that was killed had left stopped; its content is whole\n", ui.Clean(i.Name))
		}
	}
}

func leftStopped(i restore.Interruption) string {
	if i.Running {
		return ", and the container was left stopped"
	}
	return ""
}

// addressOf is how people write the sandbox of an interrupted restore.
func addressOf(i restore.Interruption) string { return sandbox.Address(i.Workspace, i.Sandbox) }

// startOf is the sandbox of an interrupted restore as the gateway knows it that has to start it.
func startOf(i restore.Interruption) sandbox.Sandbox {
	return sandbox.Sandbox{Name: i.Sandbox, Gateway: i.Through.Gateway, Workspace: cmp.Or(i.Through.Workspace, i.Workspace)}
}

// restoreLine is the command that restores a backup of sandbox from into the sandbox of an interrupted restore.
func (l *leftovers) restoreLine(i restore.Interruption, from, id string, scope restore.Scope) string {
	words := []string{"sandkeeper restore", from, "--backup", id, "--yes"}
	if to := addressOf(i); from != to {
		words = append(words, "--to", to)
	}
	if scope != restore.ScopeFull {
		words = append(words, "--scope", string(scope))
	}
	dir := i.Root
	if id == i.Backup {
		dir = cmp.Or(i.Source, i.Root)
	}
	return strings.Join(words, " ") + l.stores.flag(dir)
}
