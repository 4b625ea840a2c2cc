package migrate

// The outcomes of an import, beside Failed.
const (
	ImportedNow Status = "imported" // made, or finished, by this run
	Present     Status = "present"  // an earlier run has made it, and it is there
	Gone        Status = "gone"     // an earlier run has made it, and it was deleted since
)

// Import is the result of one run. Its JSON is a contract: keys are only added.
type Import struct {
	Set       string           `json:"set"`
	From      string           `json:"from"` // the gateway that was exported
	Gateway   string           `json:"gateway"`
	Totals    ImportTotals     `json:"totals"`
	Sandboxes []ImportedMember `json:"sandboxes"`
	// Removable are the old containers whose sandboxes are there, and which have nothing newer: a person removes them,
	// after a look at each.
	Removable []string `json:"removable"`
	// Lost is what of the whole gateway could not be carried: workspaces and settings.
	Lost []Item `json:"notCarried,omitempty"`
}

// ImportTotals count sandboxes: Imported + Present + Gone + Failed is Total.
type ImportTotals struct {
	Total    int `json:"total"`
	Imported int `json:"imported"`
	Present  int `json:"present"`
	Gone     int `json:"gone"`
	Failed   int `json:"failed"`
}

// ImportedMember is what became of one sandbox.
type ImportedMember struct {
	Name      string `json:"name"`
	Workspace string `json:"workspace"`
	As        string `json:"as"` // its new name, usually the same
	Status    Status `json:"status"`
	Reason    string `json:"reason"`
	ID        string `json:"id"` // of the new gateway
	Backup    string `json:"backup"`
	Running   bool   `json:"running"` // how it is left
	Resumed   bool   `json:"resumed"` // an earlier run had begun it
	Container string `json:"container"`
	Lost      []Item `json:"notCarried"`

	err error
}

// Err is why it failed, with its type.
func (m ImportedMember) Err() error { return m.err }

func (r *Import) add(m ImportedMember) {
	r.Sandboxes = append(r.Sandboxes, m)
	r.Totals.Total++
	switch m.Status {
	case ImportedNow:
		r.Totals.Imported++
	case Present:
		r.Totals.Present++
	case Gone:
		r.Totals.Gone++
	default:
		r.Totals.Failed++
	}

	if m.Container != "" && m.Reason == "" && (m.Status == ImportedNow || m.Status == Present) {
		r.Removable = append(r.Removable, m.Container)
	}
}
