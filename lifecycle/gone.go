package lifecycle

import (
	"context"

	"sandkeeper/internal/tracing"
)

// Gone runs AfterDelete for a sandbox that somebody else has deleted, so that what is held for it is released. A
// sandbox that the store does not know needs nothing. An error is a *ReleaseError: what is owed stays stored, and the
// next reconcile runs it again.
func (c *Chain) Gone(ctx context.Context, sandbox Reference) (err error) {
	known, err := c.Knows(sandbox.ID)
	if err != nil || !known {
		return err
	}
	op, release, err := c.beginDelete(sandbox)
	if err != nil {
		return err
	}
	defer release()
	ctx, span := tracing.Start(tracing.Identified(ctx), "release_sandbox", attributes(op.entry.Reference)...)
	defer func() { tracing.End(span, err) }()
	if op.entry.Status == StatusDeleted {
		return op.settleDeleted(cleanup(op.resumed(ctx)))
	}
	return op.deleted(cleanup(op.correlated(ctx)))
}
