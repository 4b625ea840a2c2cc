package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sandkeeper/engine"
	"sandkeeper/openshell"
)

// listJobs is how many gateways are asked at once.
const listJobs = 8

// lists is what each asked gateway listed.
type lists map[string][]openshell.ListedSandbox

func (l lists) copy() lists { return maps.Clone(l) }

// look is what was seen at one time.
type look struct {
	lists      lists
	containers []engine.Container // the workloads
	beside     []engine.Container // their companions
	origins    map[string]string  // container id → the gateway that made it, as far as Sources.Origin knows
	engineErr  error              // why containers is not known; wraps ErrNoEngine when there is no engine
	partial    error              // which engines did not answer, beside the containers of those that did
	asked      bool               // the engine was asked
}

// engineSettled reports whether "no container" is known rather than guessed: every engine answered, or there is none.
func (l look) engineSettled() bool {
	return l.partial == nil && (l.engineErr == nil || errors.Is(l.engineErr, ErrNoEngine))
}

func (l look) warnings() []string {
	switch {
	case l.partial != nil:
		return []string{l.partial.Error()}
	case l.engineSettled():
		return nil
	}
	return []string{fmt.Sprintf("no container was looked at: %v", l.engineErr)}
}

// unseen is why there may be sandboxes that were not seen: an engine is there and silent. One that this user may not
// ask, or that is not where it was named, is only warned of (docs/design.md 5).
func (l look) unseen() error {
	switch {
	case l.partial != nil:
		return l.partial
	case l.engineSettled(), errors.Is(l.engineErr, ErrNotAsked):
		return nil
	}
	return fmt.Errorf("no container was looked at: %w", l.engineErr)
}

func (l *look) askEngine(ctx context.Context, s Sources) {
	l.asked = true
	if s.Containers == nil {
		l.engineErr = ErrNoEngine
		return
	}
	all, err := s.Containers(ctx)
	l.containers, l.beside, l.engineErr, l.partial = nil, nil, err, nil
	if partial, ok := errors.AsType[*engine.PartialError](err); ok {
		l.engineErr, l.partial = nil, partial
	}
	for _, c := range all {
		switch {
		case c.Workload():
			l.containers = append(l.containers, c)
		case c.Companion():
			l.beside = append(l.beside, c)
		}
	}
}

func (l look) companionOf(c engine.Container) *engine.Container { return CompanionOf(c, l.beside) }

// CompanionOf is the companion of a workload among all; nil when there is none, as in a sandbox that is stopped.
// Companions carry no workspace (docs/facts/openshell-0.1.md 1.1), and on Podman no namespace, so namespace and id
// decide, or the id alone.
func CompanionOf(c engine.Container, all []engine.Container) *engine.Container {
	for i, beside := range all {
		if beside.Companion() && beside.SandboxID == c.SandboxID && c.SandboxID != "" && beside.Host == c.Host && (c.Podman || beside.Namespace == c.Namespace) {
			return &all[i]
		}
	}
	return nil
}

// ask looks at gateways and engine, all at the same time. A decode failure outranks a listing that merely failed; all
// of them are joined, in the order of the gateways' names.
func (l *look) ask(ctx context.Context, s Sources, gateways []string) error {
	if s.Offline {
		gateways = nil
	}
	answers, errs := make([][]openshell.ListedSandbox, len(gateways)), make([]error, len(gateways))
	var wg sync.WaitGroup
	if !l.asked {
		wg.Go(func() { l.askEngine(ctx, s) })
	}
	slots := make(chan struct{}, listJobs)
	for i, name := range gateways {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answers[i], errs[i] = list(ctx, s, name)
		})
	}

	wg.Wait()
	if err := worstFirst(errs); err != nil {
		return err
	}
	if l.lists == nil {
		l.lists = lists{}
	}
	for i, name := range gateways {
		l.lists[name] = answers[i]
	}
	return ctx.Err()
}

func list(ctx context.Context, s Sources, name string) ([]openshell.ListedSandbox, error) {
	found, err := s.List(ctx, name)
	if err != nil {
		return nil, listFailure(name, err)
	}
	if AllUnspecified(found) {
		return nil, &UnspecifiedError{Gateway: name, Count: len(found)}
	}
	return found, nil
}

// listFailure names the gateway, where err does not name it itself.
func listFailure(gateway string, err error) error {
	_, unanswered := errors.AsType[*openshell.ListingError](err)
	_, undecoded := errors.AsType[*openshell.MismatchError](err)
	if unanswered || undecoded {
		return err
	}
	return fmt.Errorf("gateway %q: %w", gateway, err)
}

func worstFirst(errs []error) error {
	mismatch := func(err error) int {
		if _, ok := errors.AsType[*openshell.MismatchError](err); ok {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(errs, func(a, b error) int { return mismatch(a) - mismatch(b) })
	return errors.Join(errs...)
}

// gateways are the gateways that must be listed: those of the rows, and the one that is meant.
func (s Sources) gateways() []string {
	var names []string
	for _, row := range s.Registry.Rows {
		if row.BindingErr == nil {
			names = append(names, row.Gateway)
		}
	}

	if s.Gateway != "" {
		names = append(names, s.Gateway)
	}
	return sorted(names)
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// UnspecifiedError is a gateway that lists sandboxes and gives a phase for none of them. Between 0.0.37–0.0.52 and
// 0.0.53 the phase moved to another field, so this is what that drift looks like: no decode error, every phase
// "Unspecified".
type UnspecifiedError struct {
	Gateway string
	Count   int
}

// Error says what was seen and what it means.
func (e *UnspecifiedError) Error() string {
	return fmt.Sprintf("gateway %q lists %d sandbox(es), all in phase Unspecified: CLI and gateway do not agree on the schema", e.Gateway, e.Count)
}

// AllUnspecified reports whether a listing is one that only drift explains: at least one sandbox, and no phase for any.
func AllUnspecified(listed []openshell.ListedSandbox) bool {
	stated := func(s openshell.ListedSandbox) bool {
		phase := strings.ToUpper(s.Phase)
		return phase != "UNSPECIFIED" && phase != "SANDBOX_PHASE_UNSPECIFIED"
	}
	return len(listed) > 0 && !slices.ContainsFunc(listed, stated)
}
