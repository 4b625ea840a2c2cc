package engine

import (
	"context"
	"fmt"
	"time"

	"sandkeeper/internal/text"

	"github.com/docker/docker/api/types/image"
)

// DefaultPullStall is how long a pull may say nothing unless a caller says otherwise.
const DefaultPullStall = 2 * time.Minute

// PullOptions of one pull.
type PullOptions struct {
	Stall    time.Duration           // how long nothing may come; 0 is DefaultPullStall. There is no other limit
	Progress func(done, total int64) // bytes of the layers that are known so far; may be nil
}

// Pulled is an image that is on the engine now.
type Pulled struct {
	ID     string
	Digest string // of its manifest, as the engine said it; "" when it did not
}

// Pull brings an image to the engine, with the docker command's credentials. It ends with ctx, and the engine's work
// with it. An error of the registry wraps one of the first three of Pullable. Without an error the image is there: it
// was inspected.
func (e *Engine) Pull(ctx context.Context, ref string, o PullOptions) (Pulled, error) {
	header, trouble := e.logins.header(ctx, ref)
	stall := o.Stall
	if stall <= 0 {
		stall = DefaultPullStall
	}
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(text.As(context.DeadlineExceeded, "nothing came for %s", stall)) })
	defer watch.Stop()

	report := pullReport{progress: o.Progress, alive: func() { watch.Reset(stall) }}
	body, err := e.client.ImagePull(bounded, ref, image.PullOptions{RegistryAuth: header})
	if err == nil {
		err = report.read(body)
		_ = body.Close()
	}
	switch {
	case err != nil && bounded.Err() != nil:
		return Pulled{}, fmt.Errorf("pulling image %q: %w", ref, context.Cause(bounded))
	case err != nil:
		return Pulled{}, fmt.Errorf("pulling image %q: %w", ref, pullError(err, trouble))
	}

	id, err := e.ImageID(ctx, ref)
	if err != nil {
		return Pulled{}, fmt.Errorf("pulling image %q ended without an error, and yet: %w", ref, err)
	}
	return Pulled{ID: id, Digest: report.digest}, nil
}
