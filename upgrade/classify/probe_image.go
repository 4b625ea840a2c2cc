package classify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"sandkeeper/engine"
	"sandkeeper/internal/pattern"
	"sandkeeper/sandbox"
)

// OriginLabel is on a rollback image and on every container made from it: the image that the sandbox came from before.
const OriginLabel = "io.sandkeeper.rollback-of"

// images looks image references up, each one once on each engine, however many sandboxes share it.
type images struct {
	in Input
	mu sync.Mutex
	by map[imageOn]func() (string, error)
}

// imageOn is an image reference on the engine at an address: another engine may have another image under it.
type imageOn struct{ host, ref string }

func newImages(in Input) *images {
	return &images{in: in, by: map[imageOn]func() (string, error){}}
}

func (m *images) id(ctx context.Context, s sandbox.Sandbox, ref string) (string, error) {
	m.mu.Lock()
	at := imageOn{s.Container.Host, ref}
	look := m.by[at]
	if look == nil {
		look = sync.OnceValues(func() (string, error) {
			return m.in.bounded(ctx, func(ctx context.Context) (string, error) { return m.in.ImageID(ctx, s, ref) })
		})
		m.by[at] = look
	}

	m.mu.Unlock()
	return look()
}

// signal compares the image that the container was made from with the image that its tag names now. An image pinned by
// id or digest has no tag to move. A tag that nothing on this host has proves nothing. No registry is asked what it has
// under the tag: a check is read-only, works without a network, and tells nobody which images are used here.
func (m *images) signal(ctx context.Context, s sandbox.Sandbox) signal {
	sig := signal{Reason: Reason{Code: CodeImage}}
	if s.Container == nil || m.in.ImageID == nil {
		return sig
	}
	ref, err := m.reference(ctx, s)
	if err != nil {
		sig.weight, sig.Detail = doubtful, err.Error()
		return sig
	}
	if ref == "" {
		return sig
	}
	sig.Current = s.Container.ImageID
	sig.Expected, err = m.id(ctx, s, ref)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		sig.weight, sig.Detail = doubtful, fmt.Sprintf("image %q is no longer on this host, so whether its tag has moved cannot be told", ref)
	case err != nil:
		sig.weight, sig.Detail = doubtful, fmt.Sprintf("image %q: %v", ref, err)
	case sig.Current == "" || sig.Expected == "":
		sig.weight, sig.Detail = doubtful, fmt.Sprintf("image %q: the engine gave no id", ref)
	case bare(sig.Current) == bare(sig.Expected):
		sig.weight = agrees
	default:
		sig.weight, sig.Detail = behind, fmt.Sprintf("%q names another image now", ref)
	}

	return sig
}

// reference is the tag that the sandbox was asked for, "" when it was pinned. The recipe has it; since OpenShell 0.0.94
// the container has only the image's id. Of a sandbox that was rolled back it is the tag from before: its own image is
// nobody's tag.
func (m *images) reference(ctx context.Context, s sandbox.Sandbox) (string, error) {
	c, err := m.inspected(ctx, s)
	if err != nil {
		return "", err
	}
	if origin := c.Labels[OriginLabel]; origin != "" {
		return origin, nil
	}
	recipe, err := m.recipe(ctx, s)
	for _, ref := range []string{recipe, c.Image, rowTag(s)} {
		if !pinned(ref) {
			return ref, nil
		}
	}

	return "", err
}

// inspected is the container of s. Docker's listing shows the id once a tag has moved; the inspection still has the
// reference.
func (m *images) inspected(ctx context.Context, s sandbox.Sandbox) (engine.Container, error) {
	c := *s.Container
	if !pinned(c.Image) || m.in.Inspect == nil {
		return c, nil
	}
	_, err := m.in.bounded(ctx, func(ctx context.Context) (_ string, err error) {
		c, err = m.in.Inspect(ctx, s)
		return "", err
	})
	if err != nil {
		return c, fmt.Errorf("inspecting container %q: %w", s.Container.Name, err)
	}
	return c, nil
}

// recipe is the image that the sandbox's recipe names, "" when it names none.
func (m *images) recipe(ctx context.Context, s sandbox.Sandbox) (string, error) {
	if m.in.RecipeImage == nil {
		return "", nil
	}
	ref, err := m.in.bounded(ctx, func(ctx context.Context) (string, error) { return m.in.RecipeImage(ctx, s) })
	if err != nil {
		return "", fmt.Errorf("the image in its recipe cannot be read: %w", err)
	}
	return ref, nil
}

func rowTag(s sandbox.Sandbox) string {
	if s.Row == nil {
		return ""
	}
	return s.Row.ImageTag
}

var hexID = pattern.Of(`^[0-9a-f]{12,64}$`)

// pinned reports a reference that names one image for ever: an id or a digest.
func pinned(ref string) bool {
	return ref == "" || strings.HasPrefix(ref, "sha256:") || strings.Contains(ref, "@sha256:") || hexID().MatchString(ref)
}

func bare(id string) string { return strings.TrimPrefix(id, "sha256:") }
