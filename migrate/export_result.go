package migrate

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

// ended completes the result.
func (e *exporting) ended(result Export) Export {
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
