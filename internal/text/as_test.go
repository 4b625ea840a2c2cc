package text

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"
)

func TestAsSaysItsSentenceAlone(t *testing.T) {
	err := fmt.Errorf("stopping: %w", As(fs.ErrNotExist, "there is no sandbox %q", "alpha"))
	if got := err.Error(); got != `stopping: there is no sandbox "alpha"` || !errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		t.Errorf("%q, is not there: %v", got, errors.Is(err, fs.ErrNotExist))
	}
}

func TestALimitHasItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := Within(t.Context(), 3*time.Second)
		defer cancel()
		<-ctx.Done()
		if over := context.Cause(ctx); over.Error() != "not done within 3s" || !errors.Is(over, context.DeadlineExceeded) {
			t.Errorf("cause %q", over)
		}
	})
}
