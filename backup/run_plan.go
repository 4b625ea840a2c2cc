package backup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sandkeeper/backup/store"
	"sandkeeper/internal/sandboxname"
	"sandkeeper/sandbox"
)

// verdict is what the inventory alone decides about a sandbox: empty status means that it is to be captured.
type verdict struct {
	status store.Status
	reason string
}

// judge decides from the inventory. What could not be seen is a failure, never a skip: a skip would let a run end well
// that does not know what it left out.
func (r *Options) judge(sb sandbox.Sandbox) verdict {
	switch sb.Standing {
	case sandbox.Orphaned:
		return verdict{store.Orphaned, cmp.Or(sb.Reason, "registered, but not on its gateway and without a container")}
	case sandbox.Ambiguous:
		return verdict{store.Failed, sandbox.Ambiguity(sb)}
	case sandbox.BadName:
		return verdict{store.Skipped, cmp.Or(sb.Reason, fmt.Sprintf("%q is not a sandbox name that can be a folder", sb.Name))}
	case sandbox.Unknown:
		return verdict{store.Failed, cmp.Or(sb.Reason, "its state could not be seen")}
	}

	if err := sandboxname.CheckFolder(sb.Name); err != nil {
		return verdict{store.Skipped, err.Error()}
	}
	return r.judgeRoute(sb)
}

func (r *Options) judgeRoute(sb sandbox.Sandbox) verdict {
	switch {
	case sb.Route == sandbox.ByContainer && sb.Container == nil:
		return verdict{store.Failed, "its container is not known"}
	case sb.Route == sandbox.ByContainer && r.engine(sb) == nil:
		return verdict{store.Failed, "its container cannot be read: there is no container engine"}
	case sb.Route == sandbox.ByExec && r.CLI == nil:
		return verdict{store.Skipped, cmp.Or(sb.Reason, "it has no container on this host, and no gateway is asked")}
	case sb.Route == sandbox.NoRoute && sb.Listed:
		return verdict{store.Skipped, cmp.Or(sb.Reason, fmt.Sprintf("in phase %q, and it has no container on this host", sb.Phase))}
	case sb.Route == sandbox.NoRoute:
		return verdict{store.Skipped, cmp.Or(sb.Reason, "it has no container on this host")}
	}
	return verdict{}
}

// choose applies --only and --exclude. A name that matches nothing is an error: a typing mistake must not make a run
// that saves nothing look well.
func (r *Options) choose(all []sandbox.Sandbox) ([]sandbox.Sandbox, error) {
	for _, address := range slices.Concat(r.Only, r.Exclude) {
		if !slices.ContainsFunc(all, func(sb sandbox.Sandbox) bool { return sb.Answers(address) }) {
			return nil, &UnknownSandboxError{Name: address, Known: addresses(all)}
		}
	}

	var chosen []sandbox.Sandbox
	for _, sb := range all {
		meant := func(address string) bool { return sb.Answers(address) }
		wanted := len(r.Only) == 0 || slices.ContainsFunc(r.Only, meant)
		if wanted && !slices.ContainsFunc(r.Exclude, meant) {
			chosen = append(chosen, sb)
		}
	}

	slices.SortStableFunc(chosen, func(a, b sandbox.Sandbox) int { return strings.Compare(a.Name, b.Name) })
	return chosen, nil
}

func addresses(all []sandbox.Sandbox) []string {
	known := make([]string, 0, len(all))
	for _, sb := range all {
		known = append(known, sb.Address())
	}
	return known
}
