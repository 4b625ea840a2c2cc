package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"sandkeeper/internal/sandboxname"
	"sandkeeper/openshell"
)

// stand fills in where e stands and how its home can be read.
func (e *entry) stand(s Sources, seen look) {
	if len(e.claims) == 1 && len(e.contested) == 0 {
		e.hold(s, seen)
	}
	if err := sandboxname.Check(e.Name); err != nil {
		e.standBadName(err)
		return
	}
	switch {
	case len(e.claims) > 0 && e.Container == nil:
		e.standAmbiguous()
	case e.Container != nil:
		e.standByContainer(s)
	case s.Offline:
		e.Standing, e.Reason = Unknown, "no container carries its name, and no gateway was asked (offline)"
	case e.Listed:
		e.standByList(seen)
	default:
		e.standUnseen(seen)
	}
}

func (e *entry) hold(s Sources, seen look) {
	e.Container = &e.claims[0]
	if e.ID == "" {
		e.ID = e.Container.SandboxID
	}
	e.Companion = seen.companionOf(*e.Container)
	e.WorkspaceRoot = workspaceRoot(s.Env, *e.Container)
}

func (e *entry) standBadName(why error) {
	e.Standing, e.Route, e.Reason = BadName, NoRoute, fmt.Sprintf("sandbox %q: %v", e.Name, why)
	if len(e.claims) > 0 {
		e.Reason += fmt.Sprintf(" (container %s)", strings.Join(e.claimNames(), ", "))
	}
	if e.Container == nil {
		e.Rivals = e.claims
	}
}

func (e *entry) claimNames() []string {
	var names []string
	for _, c := range e.claims {
		names = append(names, fmt.Sprintf("%q", c.Name))
	}
	return names
}

func (e *entry) standAmbiguous() {
	names := e.claimNames()
	e.Standing, e.Rivals = Ambiguous, e.claims
	e.Reason = fmt.Sprintf("containers %s claim to be it, and no id from a gateway decides", strings.Join(names, " and "))
	if len(e.contested) > 0 {
		e.Reason = fmt.Sprintf("container %s may as well be %s, and no id from a gateway decides", strings.Join(names, " or "), strings.Join(e.contested, " or "))
	}
}

// standByContainer: the container is the truth about the data, whatever the gateway says; the reason says what is odd.
func (e *entry) standByContainer(s Sources) {
	e.Standing, e.Route = Stopped, ByContainer
	if e.Container.Running() || e.Container.Paused() {
		e.Standing = Ready
	}
	if e.Container.Paused() {
		e.Reason = fmt.Sprintf("its container %q is paused", e.Container.Name)
	}
	switch {
	case s.Offline:
	case e.Row != nil && e.Row.BindingErr != nil:
		e.Reason = join(e.Reason, e.Row.BindingErr.Error())
	case e.Registered && !e.Listed:
		e.Reason = join(e.Reason, fmt.Sprintf("gateway %q does not list it", e.Gateway))
	case e.Listed && e.Standing == Ready && !e.ready():
		e.Reason = join(e.Reason, e.inPhase())
	}
}

// inPhase says what its gateway lists, with the gateway's reason.
func (e *entry) inPhase() string {
	said := fmt.Sprintf("gateway %q lists it in phase %q", e.Gateway, e.Phase)
	if e.PhaseWhy != "" {
		said += " (" + e.PhaseWhy + ")"
	}
	return said
}

func (e *entry) ready() bool { return openshell.PhaseReady(e.Phase) }

func (e *entry) standByList(seen look) {
	switch {
	case e.ready():
		e.Standing, e.Route = Ready, ByExec
	case !seen.engineSettled():
		e.Standing = Unknown
		e.Reason = e.inPhase() + ", and the container engine did not answer"
	default:
		e.Standing = NotReady
		e.Reason = e.inPhase() + ", and no container of it is here"
	}
}

// standUnseen: registered, in no list, without a container. Gone is what its gateway and whoever could hold it agree
// on; a missing engine agrees only where the row says that no engine of this host ever held it.
func (e *entry) standUnseen(seen look) {
	e.Standing = Unknown
	switch {
	case e.Row.BindingErr != nil:
		e.Reason = join(e.Row.BindingErr.Error(), "so no gateway can be asked for it")
	case seen.engineErr == nil || e.otherDriver():
		e.gone = true
		e.Reason = fmt.Sprintf("gateway %q does not list it", e.Gateway)
	case errors.Is(seen.engineErr, ErrNoEngine):
		e.Reason = fmt.Sprintf("gateway %q does not list it, and there is no container engine to look for its container", e.Gateway)
	default:
		e.Reason = fmt.Sprintf("gateway %q does not list it, and the container engine did not answer", e.Gateway)
	}
}

func join(parts ...string) string {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, "; ")
}
