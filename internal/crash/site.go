// Package crash answers one question: where in our code did a panic begin? A worker that panics is its sandbox's
// failure, and the report of that failure has room for one place, not for a stack.
package crash

import (
	"path/filepath"
	"strings"
)

// Site is the file and line at which a panic began, "run_one.go:42", out of debug.Stack() of the deferred function that
// recovered it.
func Site(stack []byte) string {
	_, after, _ := strings.Cut(string(stack), "panic(")
	lines := strings.Split(after, "\n")
	if len(lines) < 4 {
		return "place unknown"
	}
	place, _, _ := strings.Cut(strings.TrimSpace(lines[3]), " ")
	return filepath.Base(place)
}
