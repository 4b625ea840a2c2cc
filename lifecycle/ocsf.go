package lifecycle

import "encoding/json"

// ocsfVersion is the OCSF schema that the events follow; activities 5 to 8 came with 1.1.
const ocsfVersion = "1.3.0"

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

// MarshalOCSF encodes the event as one OCSF 1.3 Application Lifecycle object. The sandbox is the application; what OCSF has no
// attribute for (gateway, extension, details) is under "unmapped".
func (e Event) MarshalOCSF() ([]byte, error) {
	activity := e.activityName()
	out := ocsfEvent{
		ActivityID: int(e.Activity), ActivityName: activity,
		CategoryUID: ocsfCategory, CategoryName: "Application Activity",
		ClassUID: ocsfClass, ClassName: "Application Lifecycle",
		TypeUID: ocsfClass*100 + int(e.Activity), TypeName: "Application Lifecycle: " + activity,
		SeverityID: int(e.Severity), Severity: e.Severity.name(),
		Time: e.Time.UnixMilli(), StatusID: 1, Status: "Success", Message: e.Message,
		App:      ocsfProduct{Name: e.Sandbox.label(), UID: e.Sandbox.ID, VendorName: "OpenShell"},
		Metadata: ocsfMetadata{Version: ocsfVersion, Product: ocsfProduct{Name: "sandkeeper", VendorName: "sandkeeper"}, CorrelationUID: e.TraceID},
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

func (e Event) activityName() string {
	names := map[Activity]string{
		ActivityInstall: "Install", ActivityRemove: "Remove", ActivityStart: "Start", ActivityStop: "Stop", ActivityUpdate: "Update",
	}
	if name, ok := names[e.Activity]; ok {
		return name
	}
	if e.Name != "" {
		return e.Name
	}
	return "Other"
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
