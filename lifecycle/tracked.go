package lifecycle

import "time"

// Status is where the life of a tracked sandbox stands. All but ready are intents: written before the thing is done, so
// that a run that was killed can be finished by the next.
type Status string

// The statuses, as they are stored and shown.
const (
	// StatusCreating: extensions prepare, or the driver was asked to create and has not answered.
	StatusCreating Status = "creating"
	// StatusReady: the sandbox was created.
	StatusReady Status = "ready"
	// StatusRollingBack: the creation failed and some extension has not undone its work yet.
	StatusRollingBack Status = "rolling_back"
	// StatusDeleting: the driver is asked to delete and has not said that it is done.
	StatusDeleting Status = "deleting"
	// StatusDeleted: the sandbox is gone and some extension has not released its work yet.
	StatusDeleted Status = "deleted"
)

// Tracked is the stored record of a sandbox: what the chain must know to go on after a crash.
type Tracked struct {
	Reference
	Status Status `json:"status"`
	// Chain is the order in which the extensions were declared when the sandbox was created.
	Chain []string `json:"chain,omitempty"`
	// Prepared counts the extensions of Chain whose BeforeCreate has finished; the next one may have begun.
	Prepared int `json:"prepared,omitempty"`
	// Owed names the extensions that still have to undo or release, when Status is rolling_back or deleted.
	Owed []string `json:"owed,omitempty"`
	// Additions are what the extensions added to the request.
	Additions []Addition `json:"additions,omitempty"`
	// Quiesced names the extensions whose BeforeBackup began and whose AfterBackup is owed, in declared order.
	Quiesced []string `json:"quiesced,omitempty"`
	// Correlation ties the audit events of the operation in Status together, also where another process finishes it:
	// the id of the trace that it began in.
	Correlation string `json:"correlation,omitempty"`
	// Since is when Status last changed, UTC.
	Since time.Time `json:"since"`
}

// inFlight names the interrupted operation, or "".
func (t Tracked) inFlight() string {
	switch t.Status {
	case StatusCreating, StatusRollingBack:
		return "create"
	case StatusDeleting, StatusDeleted:
		return "delete"
	}
	return ""
}

// begun are the extensions whose BeforeCreate ran, in declared order, with the extension that may have been cut off
// within it.
func (t Tracked) begun() []string {
	return t.Chain[:min(t.Prepared+1, len(t.Chain))]
}
