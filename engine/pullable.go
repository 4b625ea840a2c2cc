package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sandkeeper/internal/pattern"
)

// registryTimeout is how long the engine may take to ask a registry: it tries more than one address, and may be sent
// for a token.
const registryTimeout = 30 * time.Second

var fullID = pattern.Of(`^[0-9a-f]{64}$`)

// Pullable asks the engine to ask the registry of ref for it, with the docker command's credentials, and pulls nothing.
// It returns the digest that ref names there. The error leaves naming ref to the caller and wraps ErrNotInRegistry,
// ErrRegistryDenied, ErrRegistryUnreachable, or ErrRegistryUnknown.
func (e *Engine) Pullable(ctx context.Context, ref string) (digest string, err error) {
	if strings.HasPrefix(ref, "sha256:") || fullID().MatchString(ref) {
		return "", fmt.Errorf("%w: an image's id names nothing in a registry", ErrRegistryUnknown)
	}
	header, trouble := e.logins.header(ctx, ref)
	ctx, cancel := e.within(ctx, e.timeout+registryTimeout)
	defer cancel()
	inspected, err := e.client.DistributionInspect(ctx, ref, header)
	if err == nil && inspected.Descriptor.Digest == "" {
		err = errors.New("its answer has no digest")
	}
	switch {
	case err == nil:
		return inspected.Descriptor.Digest.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("%w: %w", ErrRegistryUnknown, context.Cause(ctx))
	}

	return "", registryError(err, trouble)
}
