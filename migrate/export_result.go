package migrate

import "fmt"

// Status is what became of one sandbox; the values are part of the JSON contract.
type Status string

// The outcomes of an export.
const (
	Exported Status = "exported"
	Failed   Status = "failed"
)

// Export is the result of one run. Its JSON is a contract: keys are only added.
type Export struct {
	Set       string           `json:"set"` // the file
	Gateway   string           `json:"gateway"`
	Totals    ExportTotals     `json:"totals"`
	Sandboxes []ExportedMember `json:"sandboxes"`
	State     string           `json:"state"` // backup of the gateway's own state; "" none
	Files     []string         `json:"files"`
	Providers []Provider       `json:"providers"` // to be entered again
	Warnings  []string         `json:"warnings,omitempty"`
}

// ExportTotals count sandboxes: Exported + Failed is Total.
type ExportTotals struct {
	Total    int `json:"total"`
	Exported int `json:"exported"`
	Failed   int `json:"failed"`
}

// ExportedMember is what became of one sandbox.
type ExportedMember struct {
	Name       string `json:"name"`
	Workspace  string `json:"workspace"`
	Status     Status `json:"status"`
	Reason     string `json:"reason"`
	Backup     string `json:"backup"`
	Container  string `json:"container"`
	WasRunning bool   `json:"wasRunning"`
	Stopped    bool   `json:"stopped"`
	Lost       []Item `json:"notCarried"`
	Refused    []Item `json:"refused"`

	err error
}

// Err is why it failed, with its type.
func (m ExportedMember) Err() error { return m.err }

// ended completes the result; early is why the run did not come to the end, nil where it did.
func (e *exporting) ended(result Export, early error) Export {
	for i := range e.outcome {
		if m := &e.outcome[i]; m.Status == Failed && m.err == nil {
			m.err, m.Reason = early, fmt.Sprintf("it is saved (backup %s), and was not stopped: the export ended before: %v", m.Backup, early)
		}
	}

	result.Set, result.Files, result.Sandboxes = SetPath(e.Root, e.set.Gateway), e.set.Files, e.outcome
	result.Warnings = e.warnings
	result.Totals.Total = len(e.outcome)
	for _, m := range e.outcome {
		if m.Status == Exported {
			result.Totals.Exported++
		}
	}

	result.Totals.Failed = result.Totals.Total - result.Totals.Exported
	return result
}

// unwritten is the end of a sandbox that is stopped and saved, but the set does not say so.
func (e *exporting) unwritten(i int, err error) {
	if m := &e.outcome[i]; m.err == nil {
		m.Status, m.err = Failed, err
		m.Reason = fmt.Sprintf("it is stopped and saved (backup %s), and the set could not be written: %v", m.Backup, err)
	}
}
