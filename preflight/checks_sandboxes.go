package preflight

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/internal/sandboxname"
)

// listed is how many objects one line names.
const listed = 5

func some(names []string) string {
	if len(names) > listed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], ", "), len(names)-listed)
	}
	return strings.Join(names, ", ")
}

// SupervisorSeen is the supervisor of one running sandbox.
type SupervisorSeen struct {
	Sandbox   string        `json:"sandbox"`
	Container string        `json:"container"`
	Version   drift.Version `json:"version"` // "" when unknown
	Why       string        `json:"why"`     // why it is not known
	none      bool
}

// supervisorsAtOnce bounds how many sandboxes are asked at the same time.
const supervisorsAtOnce = 8

// Supervisors asks every running sandbox of the observation, several at once, and stops asking when ctx ends.
func (in HostInput) Supervisors(ctx context.Context) []SupervisorSeen {
	seen := []SupervisorSeen{}
	running := slices.DeleteFunc(slices.Clone(in.Seen.Containers), func(c engine.Container) bool { return !c.Running() || !c.Workload() })
	for _, c := range running {
		seen = append(seen, SupervisorSeen{Sandbox: c.SandboxName, Container: c.Name, Why: "not asked"})
	}
	if in.Supervisor == nil {
		return seen
	}
	slots := make(chan struct{}, supervisorsAtOnce)
	var wg sync.WaitGroup
	for i, c := range running {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			version, err := in.Supervisor(ctx, c)
			seen[i].Version, seen[i].Why = version, ""
			if err != nil {
				seen[i].Version, seen[i].Why, seen[i].none = drift.Version{}, clean(err.Error()), errors.Is(err, fs.ErrNotExist)
			}
		})
	}

	wg.Wait()
	return seen
}

// supervisors compares the supervisor of each running sandbox with the gateway: a sandbox keeps the one it was created
// with.
func (in HostInput) supervisors(ctx context.Context) Result {
	expected := in.Seen.Evidence().Gateway()
	switch {
	case in.Supervisor == nil:
		return skipping("not looked at")
	case in.Seen.Engine.State != drift.Known:
		return skipping("no container engine answers")
	case !expected.Known():
		return skipping("the gateway's version is not known")
	}

	var older, newer, unknown []string
	seen := in.Supervisors(ctx)
	for _, s := range seen {
		order, known := s.Version.Compare(expected)
		switch {
		case s.none:
		case !known:
			unknown = append(unknown, s.Sandbox+reason(s.Why))
		case order > 0:
			newer = append(newer, fmt.Sprintf("%s (%s)", s.Sandbox, s.Version))
		case order < 0:
			older = append(older, fmt.Sprintf("%s (%s)", s.Sandbox, s.Version))
		}
	}

	switch {
	case len(older) > 0:
		said := fmt.Sprintf("older than the gateway's version %s: %s", expected, some(older))
		if len(newer) > 0 {
			said += "; newer: " + some(newer)
		}
		return warning("sandkeeper upgrade-sandboxes --check", said)
	case len(newer) > 0:
		return warned("newer than the gateway's version %s: %s; bring the gateway to that version: it goes before its supervisors", expected, some(newer))
	case len(unknown) > 0:
		return warned("unknown: %s", some(unknown))
	}

	return passed("running sandboxes: %d, none of them with another version than the gateway's %s", len(seen), expected)
}

// names finds sandboxes that OpenShell 0.0.106 and later would not make under their names (docs/facts/demand.md A2).
func (in HostInput) names(context.Context) Result {
	var long, odd []string
	for _, name := range in.Names {
		switch {
		case len(name) > sandboxname.LongestNew:
			long = append(long, fmt.Sprintf("%q (%d characters)", name, len(name)))
		case sandboxname.CheckNew(name) != "":
			odd = append(odd, fmt.Sprintf("%q", name))
		}
	}

	spelling := fmt.Sprintf("a newer OpenShell accepts lower-case letters, digits and single hyphens only: %s", some(odd))
	switch {
	case len(in.Names) == 0:
		return passed("no sandboxes")
	case len(long) > 0:
		said := fmt.Sprintf("OpenShell 0.0.106 and later refuse names of more than %d characters: %s. Restore its backup under a shorter name with `sandkeeper restore NAME --to SHORTER`", sandboxname.LongestNew, some(long))
		if len(odd) > 0 {
			said += "; " + spelling
		}
		return warned("%s", said)
	case len(odd) > 0:
		return warned("%s", spelling)
	}
	if len(in.Names) == 1 {
		return passed("1 name, it fits")
	}
	return passed("%d names, all of them fit", len(in.Names))
}
