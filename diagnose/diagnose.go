// Package diagnose answers one question: what does this error text say? It gives a class, how sure that is, why, and
// what to do. It judges text alone: it does no I/O and knows nothing of the host.
package diagnose

import "sandkeeper/openshell"

// Source says where a text to diagnose comes from, and with it how far it can be believed to be about OpenShell.
type Source string

// Where texts come from.
const (
	Pasted    Source = ""           // pasted by somebody: it may be about anything
	StateCall Source = "state-call" // the whole output of an openshell call of ours
)

// Class names what an error text is about; the values are part of the JSON contract (docs/design.md 4.2).
type Class string

// The classes of docs/design.md 4.2; what each means and asks for is in the table of explanations.
const (
	SchemaMismatch           Class = "schema_mismatch"
	SchemaMismatchSupervisor Class = "schema_mismatch_supervisor"
	VersionSkew              Class = "version_skew_unimplemented"
	MigrationIncompatibleDB  Class = "migration_incompatible_db"
	DBLocked                 Class = "db_locked"
	GatewayUnreachable       Class = "gateway_unreachable"
	GatewayNotRegistered     Class = "gateway_not_registered"
	GatewayStartFailed       Class = "gateway_start_failed"
	WrongEndpoint            Class = "wrong_endpoint"
	TLSTrust                 Class = "tls_trust"
	TLSClientCert            Class = "tls_client_cert"
	Auth                     Class = "auth"
	SandboxAuth              Class = "sandbox_auth"
	SandboxUnreachable       Class = "sandbox_unreachable"
	SandboxNotFound          Class = "sandbox_not_found"
	SandboxNotReady          Class = "sandbox_not_ready"
	BackupContentError       Class = "backup_content_error"
	LockContention           Class = "lock_contention"
	Unrelated                Class = "unrelated"
	Unknown                  Class = "unknown"
)

// The values of Diagnosis.Confidence.
const (
	Certain = "certain" // our own call, or words that only OpenShell has
	Likely  = "likely"  // the words fit, and somebody else may use them as well
	Unsure  = "unknown"
)

// Diagnosis is what an error text says, how sure that is, and what to do about it.
type Diagnosis struct {
	Class       Class    `json:"class"`
	Confidence  string   `json:"confidence"`
	Explanation string   `json:"explanation"`
	Actions     []string `json:"actions"`
	Decides     string   `json:"decides"` // what would turn the guess into knowledge; "" when it is certain
}

// Classify judges an error text. A text alone is at most likely, unless it holds words that only OpenShell has; a
// decode failure in an answer to a call of our own is certain in whatever words. Of many lines the most decisive one
// wins.
func Classify(text string, s Source) Diagnosis {
	if s == StateCall && openshell.DecodeFailure(unescape(text)) {
		return explain(SchemaMismatch, Certain)
	}
	read := readText(text)
	for _, rule := range rules() {
		if !rule.matches(read) {
			continue
		}
		d := explain(rule.class, rule.confidence())
		return rule.note.added(d)
	}

	if read.ours || s == StateCall || read.empty() {
		return explain(Unknown, Unsure)
	}
	return explain(Unrelated, Unsure)
}

func (r rule) confidence() string {
	switch {
	case r.class == Unknown:
		return Unsure
	case r.sure:
		return Certain
	}
	return Likely
}
