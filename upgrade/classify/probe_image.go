package classify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"sandkeeper/internal/pattern"
	"sandkeeper/sandbox"
)

// OriginLabel is on a rollback image and on every container made from it: the image that the sandbox came from before.
const OriginLabel = "io.sandkeeper.rollback-of"

// images looks image references up, each one once however many sandboxes share it.
type images struct {
	in Input
	mu sync.Mutex
	by map[string]func() (string, error)
}

func newImages(in Input) *images {
	return &images{in: in, by: map[string]func() (string, error){}}
}

func (m *images) id(ctx context.Context, ref string) (string, error) {
	m.mu.Lock()
	look := m.by[ref]
	if look == nil {
		look = sync.OnceValues(func() (string, error) {
			return m.in.bounded(ctx, func(ctx context.Context) (string, error) { return m.in.ImageID(ctx, ref) })
		})
		m.by[ref] = look
	}
	m.mu.Unlock()
	return look()
}

// signal compares the image that the container was made from with the one its tag names now. An image pinned by id or digest has
// no tag to move; a tag that is gone has not moved either. No registry is asked what it has under the tag: a check is read-only, works
// without a network, and tells nobody which images are used here.
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
	sig.Expected, err = m.id(ctx, ref)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		sig.weight, sig.Detail = noted, fmt.Sprintf("image %q is no longer on this host", ref)
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

// reference is the tag that the container's image came from, "" when it was pinned. Docker's listing shows the id once the tag
// has moved; the inspection still has the reference, and for a pinned image the registry row may.
func (m *images) reference(ctx context.Context, s sandbox.Sandbox) (string, error) {
	c := *s.Container
	if pinned(c.Image) && m.in.Inspect != nil {
		_, err := m.in.bounded(ctx, func(ctx context.Context) (string, error) {
			var err error
			c, err = m.in.Inspect(ctx, s.Container.ID)
			return "", err
		})
		if err != nil {
			return "", fmt.Errorf("inspecting container %q: %w", s.Container.Name, err)
		}
	}
	if origin := c.Labels[OriginLabel]; origin != "" {
		return origin, nil // a sandbox that was rolled back: its own image is nobody's tag
	}
	if !pinned(c.Image) {
		return c.Image, nil
	}
	if s.Row == nil || pinned(s.Row.ImageTag) {
		return "", nil
	}
	return s.Row.ImageTag, nil
}

var hexID = pattern.Of(`^[0-9a-f]{12,64}$`)

// pinned reports a reference that names one image for ever: an id or a digest.
func pinned(ref string) bool {
	return ref == "" || strings.HasPrefix(ref, "sha256:") || strings.Contains(ref, "@sha256:") || hexID().MatchString(ref)
}

func bare(id string) string { return strings.TrimPrefix(id, "sha256:") }
