// Package runlog answers one question: what has this program done on this host, and how did it end? Runs are noted in a
// short history of the user's own, in a file of JSON lines where one is asked for, and in the journal where systemd has
// started us.
package runlog

import (
	"encoding/json"
	"fmt"
	"time"
)

// Record is one run that has ended.
type Record struct {
	At       time.Time       `json:"at"` // when it began, UTC
	Command  string          `json:"command"`
	ExitCode int             `json:"exitCode"`
	Error    string          `json:"error"`            // "" when it ended well
	Root     string          `json:"root,omitempty"`   // of the store that it worked on
	Totals   json.RawMessage `json:"totals,omitempty"` // of its result
	TookMs   int64           `json:"tookMs"`
	PID      int             `json:"pid"`
}

// Sentence says in one line how the run ended.
func (r Record) Sentence() string {
	took := (time.Duration(r.TookMs) * time.Millisecond).Round(time.Second)
	if r.ExitCode == 0 {
		return fmt.Sprintf("%s ended well after %s", r.Command, took)
	}
	return fmt.Sprintf("%s ended with exit code %d after %s: %s", r.Command, r.ExitCode, took, r.Error)
}
