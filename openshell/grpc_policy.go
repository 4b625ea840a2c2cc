package openshell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandkeeper/openshell/wire"
)

// CurrentPolicy returns the sandbox with the policy that is in force in its spec. What `openshell policy set` changed
// after the creation is in no spec, and a sandbox made from the spec alone would fall back behind it. A policy that the
// sandbox could not load does not count. Before 0.0.13 gateways keep no revisions, and the spec is all there is.
func (a *API) CurrentPolicy(ctx context.Context, s RawSandbox) (RawSandbox, error) {
	latest, err := a.policy(ctx, s.Name, 0)
	if err == nil && latest.Failed && latest.Active > 0 {
		latest, err = a.policy(ctx, s.Name, latest.Active)
	}
	switch {
	case errors.Is(err, errNoRevision), errors.Is(err, ErrUnsupported):
		return s, nil
	case err != nil:
		return s, fmt.Errorf("policy of sandbox %q: %w", s.Name, err)
	case latest.Failed || latest.Policy == nil:
		return s, nil
	}

	spec, err := wire.ReadSpec(s.Spec)
	if err != nil || latest.Version <= 1 && spec.Policy != nil { // version 1 is the spec's own
		return s, err
	}
	s.Spec, err = wire.WithPolicy(s.Spec, latest.Policy)
	return s, err
}

// errNoRevision means that a sandbox has no policy of that version, or none at all.
var errNoRevision = errors.New("no such policy revision")

// policy reads one revision; the error wraps errNoRevision when there is none.
func (a *API) policy(ctx context.Context, name string, revision uint64) (wire.PolicyRevision, error) {
	var found wire.PolicyRevision
	err := a.probe(func(v wire.Version) error {
		answer, err := a.read(ctx, "GetSandboxPolicyStatus", a.Address(name), v.PolicyStatus(name, a.workspace, revision))
		if err != nil {
			return err
		}
		found, err = wire.ReadPolicyRevision(answer)
		return a.decoded("GetSandboxPolicyStatus", err)
	})
	refused, ok := errors.AsType[*CallError](err)
	if ok && refused.Code == "NotFound" && strings.Contains(refused.Message, "revision") {
		return found, fmt.Errorf("%w: %w", errNoRevision, err)
	}
	return found, err
}
