package lifecycle

import (
	"context"
	"time"
)

// Activity is the activity_id of OCSF's Application Lifecycle class (schema.ocsf.io, class 6002).
type Activity int

// The activities of the class that the life of a sandbox has. A phase or a reconcile is "other", with its name.
const (
	ActivityInstall Activity = 1
	ActivityRemove  Activity = 2
	ActivityStart   Activity = 3
	ActivityStop    Activity = 4
	ActivityUpdate  Activity = 8
	ActivityOther   Activity = 99
)

// Severity is OCSF's severity_id.
type Severity int

// The severities that are used here.
const (
	SeverityInformational Severity = 1
	SeverityMedium        Severity = 3
	SeverityHigh          Severity = 4
)

// Event is one audited fact about a sandbox, before it is encoded.
type Event struct {
	Time     time.Time
	Activity Activity
	// Name is the activity's name; used with ActivityOther, otherwise OCSF's own.
	Name     string
	Severity Severity
	// Failure makes the status of the event "Failure"; nil is "Success".
	Failure   error
	Sandbox   Reference
	Extension string
	Message   string
	// Details are free facts. Secrets do not belong here.
	Details map[string]string
	// Correlation ties the events of one operation together: the id of the trace that it began in.
	Correlation string
}

// Sink takes audited events. AuditFile is one; a Sink must be safe for concurrent use.
type Sink interface {
	Write(ctx context.Context, event Event) error
}

type emitterKey struct{}

type emitter struct {
	chain *Chain
	call  call
}

func withEmitter(ctx context.Context, e emitter) context.Context {
	return context.WithValue(ctx, emitterKey{}, e)
}

// Emit lets an extension write an audit event of its own from inside a phase; sandbox, extension, phase and trace are
// filled in. Outside a phase, and on a chain without a sink, it does nothing.
func Emit(ctx context.Context, severity Severity, message string, details map[string]string) {
	e, ok := ctx.Value(emitterKey{}).(emitter)
	if !ok {
		return
	}
	e.chain.record(ctx, Event{
		Activity: ActivityOther, Name: string(e.call.phase), Severity: severity, Message: message, Details: details,
		Sandbox: e.call.sandbox.Reference, Extension: e.call.link.Name,
	})
}

// record writes one event. A sink that fails must not decide over sandboxes, and must not fail in silence: it goes to
// Options.Warn.
func (c *Chain) record(ctx context.Context, event Event) {
	if c.audit == nil {
		return
	}
	event.Time = c.now()
	event.Correlation = correlation(ctx)
	if err := c.audit.Write(context.WithoutCancel(ctx), event); err != nil {
		c.warn(err)
	}
}
