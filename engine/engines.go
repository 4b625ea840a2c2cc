package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sandkeeper/drift"
)

// Engines are the container engines of this host. The zero value is a host without any.
type Engines struct {
	answered []*Engine // each once, the main one first
	main     *Engine   // nil when the named engine does not answer, and when there is none
	state    State     // of main, or why there is none
	looked   []State   // every place where an engine is or could be: known, unknown, and absent last
}

// Open finds the container engines of this host and makes sure that each answers as one, all at the same time. Two
// addresses of one engine are one. With SANDKEEPER_ENGINES nothing but the addresses that it lists is looked at.
//
// The engine that is meant is the one that somebody named (DOCKER_HOST, the runtime marker, the active docker context),
// also when it does not answer: another would show other containers. Where nobody did, it is the first that answers.
func Open(ctx context.Context, d Dialing) Engines {
	if d.Timeout <= 0 {
		d.Timeout = DefaultTimeout
	}
	places, absent := d.places()
	found := make([]meeting, len(places))
	var group sync.WaitGroup
	for i, place := range places {
		group.Go(func() { found[i] = meet(ctx, d, place) })
	}
	group.Wait()
	var es Engines
	es.join(found, identities(ctx, found))
	es.choose(d, found, absent)
	for _, path := range absent {
		es.looked = append(es.looked, State{State: drift.Absent, Host: "unix://" + path, Why: "there is no socket"})
	}
	return es
}

// meeting is one address with what answered there.
type meeting struct {
	engine *Engine
	state  State
}

func meet(ctx context.Context, d Dialing, a address) meeting {
	engine, state := connect(ctx, d, a)
	if engine == nil {
		if path, unix := strings.CutPrefix(a.host, "unix://"); unix && mayNotOpen(path) {
			state.Closed, state.Why = true, closedWhy(path, state.Why)
		}
	}
	return meeting{engine, state}
}

// identities tells engines apart, where there are several. One that does not say which it is goes by its address.
func identities(ctx context.Context, found []meeting) []string {
	names := make([]string, len(found))
	answered := 0
	for i, m := range found {
		if m.engine != nil {
			names[i] = m.engine.host
			answered++
		}
	}

	if answered < 2 {
		return names
	}
	var group sync.WaitGroup
	for i, m := range found {
		if m.engine == nil {
			continue
		}
		group.Go(func() {
			ctx, cancel := m.engine.limited(ctx) // the run waits for the slowest
			defer cancel()
			if identity, err := m.engine.Identity(ctx); err == nil {
				names[i] = identity
			}
		})
	}

	group.Wait()
	return names
}

// join keeps each engine once, at the first address where it was met.
func (es *Engines) join(found []meeting, identities []string) {
	known := map[string]bool{}
	for i, m := range found {
		if m.engine != nil && known[identities[i]] {
			_ = m.engine.Close()
			continue
		}
		es.looked = append(es.looked, m.state)
		if m.engine != nil {
			known[identities[i]] = true
			es.answered = append(es.answered, m.engine)
		}
	}
}

// choose settles which engine is meant, and what is said where none is.
func (es *Engines) choose(d Dialing, found []meeting, absent []string) {
	chosen, err := d.chosen()
	switch {
	case err != nil && len(d.listed()) == 0:
		es.state = State{State: drift.Unknown, Host: chosen.host, Why: err.Error()}
		es.looked = append(es.looked, es.state)
	case chosen.host != "" && len(d.listed()) == 0:
		es.main, es.state = found[0].engine, found[0].state
	case len(es.answered) > 0:
		es.main, es.state = es.answered[0], es.answered[0].State()
	case len(es.looked) > 0:
		es.state = es.looked[0]
	default:
		es.state = State{State: drift.Absent, Why: "no socket at " + strings.Join(absent, ", ")}
	}
}

// Main is the engine that is meant, with what is known of it; nil when none is, or when it does not answer.
func (es Engines) Main() (*Engine, State) { return es.main, es.state }

// All are the engines that answered, the main one first.
func (es Engines) All() []*Engine { return slices.Clone(es.answered) }

// Of is the engine that runs c, and the main engine for a container that no listing of these engines showed.
func (es Engines) Of(c Container) *Engine {
	for _, e := range es.answered {
		if e.host == c.Host && c.Host != "" {
			return e
		}
	}
	return es.main
}

// Silent are the places where an engine is and does not answer, for another reason than that this user may not ask it.
func (es Engines) Silent() []State {
	return es.filter(func(s State) bool { return s.State == drift.Unknown && !s.Closed })
}

// Closed are the sockets that this user may not open.
func (es Engines) Closed() []State { return es.filter(func(s State) bool { return s.Closed }) }

func (es Engines) filter(keep func(State) bool) []State {
	return slices.DeleteFunc(slices.Clone(es.looked), func(s State) bool { return !keep(s) })
}

// LookedAt says in words where containers were looked for, for every sentence that says that there is none.
func (es Engines) LookedAt() string {
	var asked, absent []string
	for _, s := range es.looked {
		switch s.State {
		case drift.Known:
			asked = append(asked, s.Host)
		case drift.Unknown:
			asked = append(asked, s.Host+" (did not answer)")
		default:
			absent = append(absent, strings.TrimPrefix(s.Host, "unix://"))
		}
	}

	if len(asked) == 0 {
		return "no container engine: no socket at " + cmp.Or(strings.Join(absent, ", "), "any known place")
	}
	return strings.Join(asked, ", ")
}

// PartialError is beside a listing that lacks the containers of engines that did not answer.
type PartialError struct {
	Silent []State
}

// Error names them.
func (e *PartialError) Error() string {
	words := make([]string, len(e.Silent))
	for i, s := range e.Silent {
		words[i] = s.Words()
	}
	return "not every container engine of this host answered: " + strings.Join(words, "; ")
}

// Sandboxes lists the sandbox containers of all engines, sorted by name. The error is a *PartialError beside the
// containers of the engines that answered, or another one when none did: an error without containers is never "there
// are none".
func (es Engines) Sandboxes(ctx context.Context) ([]Container, error) {
	lists, errs := make([][]Container, len(es.answered)), make([]error, len(es.answered))
	var group sync.WaitGroup
	for i, e := range es.answered {
		group.Go(func() { lists[i], errs[i] = e.Sandboxes(ctx) })
	}
	group.Wait()
	silent := es.Silent()
	for i, err := range errs {
		if err != nil {
			silent = append(silent, State{State: drift.Unknown, Host: es.answered[i].host, Why: err.Error()})
		}
	}

	all := slices.Concat(lists...)
	slices.SortFunc(all, byName)
	switch {
	case len(silent) == 0:
		return all, nil
	case len(es.answered) == 1 && errs[0] != nil && len(silent) == 1:
		return nil, errs[0]
	case len(silent) >= len(es.answered)+len(es.Silent()):
		return nil, &PartialError{silent}
	}

	return all, &PartialError{silent}
}

// Close lets go of idle connections.
func (es Engines) Close() error {
	var problems []error
	for _, e := range es.answered {
		problems = append(problems, e.Close())
	}
	return errors.Join(problems...)
}

// Words are a place and why nothing is known of it.
func (s State) Words() string {
	if strings.HasPrefix(s.Why, s.Host) { // it names the address and where that is from
		return s.Why
	}
	return fmt.Sprintf("%s: %s", s.Host, s.Why)
}
