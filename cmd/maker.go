package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sandkeeper/driver"
	"sandkeeper/internal/text"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// making is a recreate.Maker with what must be closed behind it.
type making struct {
	*recreate.Maker
	gateways   *driver.Gateways
	extensions *extensionChain // nil without any
}

func (m *making) close() error { return errors.Join(m.gateways.Close(), m.extensions.close()) }

// maker wires what makes sandboxes on the gateways in seen. Unless it only looks, the extensions finish first what an
// earlier run left.
func (a *app) maker(ctx context.Context, seen survey.Gateways, looks bool) (m *making, err error) {
	if stateDir(a.Env) == "" {
		return nil, usage("set HOME or XDG_STATE_HOME", "there is no home to keep the journal in")
	}
	m = &making{gateways: &driver.Gateways{Open: a.host.Connect(seen)}}
	m.Maker = &recreate.Maker{
		State: stateDir(a.Env), Driver: m.gateways.Driver, Switch: m.gateways, Providers: m.gateways.MissingProviders,
		Locate: recreate.LocateOn(a.host, seen), Progress: func(name string, step recreate.Step) { a.term.stage(name, string(step)) },
	}
	if looks {
		return m, nil
	}
	m.extensions, err = a.extensions.begin(ctx, m.gateways, seen)
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	if m.extensions != nil {
		m.Chain = m.extensions.Chain
	}
	return m, nil
}

// notMade gives what a Maker refuses its exit code and its next command. again is the command to run again.
func notMade(err error, again string) error {
	if exists, ok := errors.AsType[*recreate.ExistsError](err); ok {
		return &Failure{Code: ExitRefused, Kind: "exists", Err: err, Hint: existsHint(exists, again)}
	}
	if half, ok := errors.AsType[*recreate.UnfinishedError](err); ok {
		return &Failure{Code: ExitRefused, Kind: kindPartial, Err: err, Hint: fmt.Sprintf("to go on: %s\nto begin again: %s, then %s", half.Command(), half.Sandbox().Invocation("delete"), again)}
	}
	if missing, ok := errors.AsType[*recreate.MissingError](err); ok {
		return &Failure{Code: ExitRefused, Kind: "not_found", Err: err, Hint: fmt.Sprintf(
			"make it again with `%s …`, then run: %s", createProvider(missing), again)}
	}
	return err
}

// createProvider begins the command that makes the first provider which is missing, where the sandbox will look for it.
func createProvider(m *recreate.MissingError) string {
	line := "openshell provider create --name " + text.ShellWord(m.Providers[0]) + " -g " + text.ShellWord(m.Gateway)
	if workspace, _ := sandbox.ParseAddress(m.Name); workspace != "" {
		line += " --workspace " + text.ShellWord(workspace)
	}
	return line
}

// existsHint says what to run where the sandbox is there. One that its gateway refuses to start has to be deleted
// first, which is said only beside its backup.
func existsHint(e *recreate.ExistsError, again string) string {
	if e.Phase != "Error" {
		restore := "sandkeeper restore " + e.Sandbox.Address()
		if same := strings.Replace(again, " --recreate", "", 1); same != again { // with the backup, and where it is
			restore = same
		}
		return restore + " puts a backup into the sandbox that is there"
	}
	return fmt.Sprintf("if `%s` is refused: sandkeeper backup-all --only %s saves what its container holds now; then %s, and: %s",
		e.Sandbox.Invocation("start"), e.Sandbox.Address(), e.Sandbox.Invocation("delete"), again)
}

// settleOf is the flag's value; a Maker takes 0 for its default.
func settleOf(flag time.Duration) time.Duration {
	if flag == 0 {
		return -1
	}
	return flag
}
