package cmd

import (
	"context"
	"fmt"
)

// question is what a person is asked before something is replaced or removed.
type question struct {
	text     string // ends with a question mark
	unasked  string // what the error says where nobody can answer
	flags    string // what to do then: which flags answer it
	declined string // what a no means, "nothing was removed": only what is true
}

// ask returns nil for a yes. A no ends the command without an error; Ctrl-C ends it at once, although nothing ends the
// reading.
func (t *terminal) ask(ctx context.Context, q question) error {
	if !t.CanAsk() || t.json {
		return usage(q.flags, "%s, and there is no terminal to ask on", q.unasked)
	}
	answer := make(chan bool, 1)
	go func() { answer <- t.Confirm(q.text) }()
	select {
	case yes := <-answer:
		if !yes && ctx.Err() == nil {
			return &Failure{Code: ExitOK, Err: fmt.Errorf("the answer was no: %s", q.declined)}
		}
		return ctx.Err()
	case <-ctx.Done():
		fmt.Fprintln(t.Err) // the question's line ends with ^C
		return &Failure{Code: ExitInterrupted, Kind: "interrupted", Err: interruption{fmt.Errorf("%s: %w", q.declined, ctx.Err())}}
	}
}
