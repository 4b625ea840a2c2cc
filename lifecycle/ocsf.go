package lifecycle

import "encoding/json"

// ocsfVersion is the OCSF schema that the events follow: the one whose number OpenShell writes into its own events
// (docs/facts/openshell.md 7.1), so that both can go to one place.
const ocsfVersion = "1.8.0"

const (
	ocsfCategory = 6    // Application Activity
	ocsfClass    = 6002 // Application Lifecycle
)

type ocsfEvent struct {
	ActivityID   int            `json:"activity_id"`
	ActivityName string         `json:"activity_name"`
	CategoryUID  int            `json:"category_uid"`
	CategoryName string         `json:"category_name"`
	ClassUID     int            `json:"class_uid"`
	ClassName    string         `json:"class_name"`
	TypeUID      int            `json:"type_uid"`
	TypeName     string         `json:"type_name"`
	SeverityID   int            `json:"severity_id"`
	Severity     string         `json:"severity"`
	Time         int64          `json:"time"`
	StatusID     int            `json:"status_id"`
	Status       string         `json:"status"`
	StatusDetail string         `json:"status_detail,omitempty"`
	Message      string         `json:"message"`
	App          ocsfProduct    `json:"app"`
	Metadata     ocsfMetadata   `json:"metadata"`
	Unmapped     map[string]any `json:"unmapped,omitempty"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	UID        string `json:"uid,omitempty"`
	VendorName string `json:"vendor_name"`
}

type ocsfMetadata struct {
	Version        string      `json:"version"`
	Product        ocsfProduct `json:"product"`
	CorrelationUID string      `json:"correlation_uid,omitempty"`
}

// MarshalOCSF encodes the event as one OCSF 1.8 Application Lifecycle object. The sandbox is the application; what OCSF
// has no attribute for (gateway, extension, details) is under "unmapped".
func (e Event) MarshalOCSF() ([]byte, error) {
	out := ocsfEvent{
		ActivityID: int(e.Activity), ActivityName: e.activityName(),
		CategoryUID: ocsfCategory, CategoryName: "Application Activity",
		ClassUID: ocsfClass, ClassName: "Application Lifecycle",
		TypeUID: ocsfClass*100 + int(e.Activity), TypeName: "Application Lifecycle: " + e.Activity.caption(),
		SeverityID: int(e.Severity), Severity: e.Severity.name(),
		Time: e.Time.UnixMilli(), StatusID: 1, Status: "Success", Message: e.Message,
		App:      ocsfProduct{Name: e.Sandbox.label(), UID: e.Sandbox.ID, VendorName: "OpenShell"},
		Metadata: ocsfMetadata{Version: ocsfVersion, Product: ocsfProduct{Name: "sandkeeper", VendorName: "sandkeeper"}, CorrelationUID: e.Correlation},
		Unmapped: e.unmapped(),
	}
	if e.Failure != nil {
		out.StatusID, out.Status, out.StatusDetail = 2, "Failure", e.Failure.Error()
	}
	return json.Marshal(out)
}

func (e Event) unmapped() map[string]any {
	rest := map[string]any{}
	if e.Sandbox.Gateway != "" {
		rest["gateway"] = e.Sandbox.Gateway
	}
	if e.Extension != "" {
		rest["extension"] = e.Extension
	}
	if len(e.Details) > 0 {
		rest["details"] = e.Details
	}
	return rest
}

// activityName is the schema's caption or, where the schema has none, the name that the source gave.
func (e Event) activityName() string {
	if e.Activity == ActivityOther && e.Name != "" {
		return e.Name
	}
	return e.Activity.caption()
}

// caption is the schema's word for the activity. A type_name is always made of it: it names the type_uid, not the
// event.
func (a Activity) caption() string {
	switch a {
	case ActivityInstall:
		return "Install"
	case ActivityRemove:
		return "Remove"
	case ActivityStart:
		return "Start"
	case ActivityStop:
		return "Stop"
	case ActivityUpdate:
		return "Update"
	case ActivityOther:
		return "Other"
	}
	return "Unknown"
}

func (s Severity) name() string {
	switch s {
	case SeverityInformational:
		return "Informational"
	case SeverityMedium:
		return "Medium"
	case SeverityHigh:
		return "High"
	}
	return "Unknown"
}
