package text

import (
	"context"
	"fmt"
	"time"
)

// As is an error that says the given sentence and is err to errors.Is and errors.As. It is for an err whose own words
// tell an operator nothing: "file does not exist" of a container, "context deadline exceeded" of a limit.
func As(err error, format string, args ...any) error {
	return told{fmt.Sprintf(format, args...), err}
}

// Within is context.WithTimeout whose cause names the limit in an operator's words.
func Within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, As(context.DeadlineExceeded, "not done within %s", limit))
}

type told struct {
	words string
	err   error
}

// Error is the sentence.
func (t told) Error() string { return t.words }

// Unwrap is the error that it stands for.
func (t told) Unwrap() error { return t.err }
