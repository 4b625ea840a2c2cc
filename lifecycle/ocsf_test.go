package lifecycle

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// schema is what schema.ocsf.io/1.8.0 says of the class Application Lifecycle, kept to what an event of ours can break.
type schema struct {
	Required     map[string][]string          `json:"required"` // attributes by object, "" is the event
	AtLeastOne   map[string][]string          `json:"at_least_one"`
	Attributes   map[string]map[string]string `json:"attributes"` // name → type, by object
	Enumerations map[string]map[string]string `json:"enumerations"`
}

func readSchema(t *testing.T) (s schema) {
	t.Helper()
	data, err := os.ReadFile("testdata/ocsf-1.8.0-application-lifecycle.json")
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEveryEventFollowsTheSchema encodes every event that a full life, a refusal, a drift and a cut-off creation leave.
func TestEveryEventFollowsTheSchema(t *testing.T) {
	s := readSchema(t)
	seen := map[string]bool{}
	for _, e := range everyEvent(t) {
		data, err := e.MarshalOCSF()
		if err != nil {
			t.Fatal(err)
		}
		var event map[string]any
		if err := json.Unmarshal(data, &event); err != nil {
			t.Fatal(err)
		}
		for _, fault := range s.faults("", event) {
			t.Errorf("%s\n%s", fault, data)
		}
		same(t, "version", event["metadata"].(map[string]any)["version"], any("1.8.0"))
		seen[fmt.Sprint(event["type_name"], " ", event["status"])] = true
	}
	for _, want := range []string{
		"Application Lifecycle: Install Success", "Application Lifecycle: Install Failure", "Application Lifecycle: Remove Success",
		"Application Lifecycle: Remove Failure", "Application Lifecycle: Other Success", "Application Lifecycle: Other Failure",
	} {
		if !seen[want] {
			t.Errorf("no event is %q: the test does not see them all; it saw %v", want, seen)
		}
	}
}

func everyEvent(t *testing.T) []Event {
	t.Helper()
	b := newBench(t, "a", "b")
	record := b.mustCreate(t, "alpha")
	b.ext["a"].see = func(Sandbox, *State) (ReconcileOutcome, error) {
		return ReconcileOutcome{Drift: []string{"the lease is held by another"}}, nil
	}
	b.reconcile(t)
	b.memory.deleteErr = errDenied
	alpha := Reference{ID: record.ID, Name: "alpha", Gateway: "gw"}
	if b.driver.DeleteSandbox(t.Context(), alpha) == nil {
		t.Fatal("the gateway was expected to refuse")
	}
	b.memory.deleteErr = nil
	if err := b.driver.DeleteSandbox(t.Context(), alpha); err != nil {
		t.Fatal(err)
	}
	b.fail("b", BeforeCreate, errDenied)
	if _, err := b.create(t, "beta"); err == nil {
		t.Fatal("the extension was expected to refuse")
	}
	return b.sink.events
}

// faults names what an object of an event lacks, has too much, or has of the wrong kind.
func (s schema) faults(object string, values map[string]any) (found []string) {
	for _, name := range s.Required[object] {
		if _, there := values[name]; !there {
			found = append(found, fmt.Sprintf("%q lacks %q", object, name))
		}
	}
	if any := s.AtLeastOne[object]; len(any) > 0 && !hasOne(values, any) {
		found = append(found, fmt.Sprintf("%q has none of %q", object, any))
	}
	for name, value := range values {
		kind, known := s.Attributes[object][name]
		if !known {
			found = append(found, fmt.Sprintf("%q has no attribute %q", object, name))
			continue
		}
		found = append(found, s.value(object, name, kind, value)...)
	}
	return append(found, s.captions(values)...)
}

func hasOne(values map[string]any, names []string) bool {
	for _, name := range names {
		if values[name] != nil {
			return true
		}
	}
	return false
}

func (s schema) value(object, name, kind string, value any) []string {
	switch of := value.(type) {
	case string:
		if kind == "string" && of != "" {
			return nil
		}
	case float64:
		_, listed := s.Enumerations[name][fmt.Sprint(int(of))]
		if kind == "integer" && of == float64(int64(of)) && (s.Enumerations[name] == nil || listed) {
			return nil
		}
	case map[string]any:
		if kind == "any" {
			return nil
		}
		if s.Attributes[kind] != nil {
			return s.faults(kind, of)
		}
	}
	return []string{fmt.Sprintf("%q: %q is %v, want a %s", object, name, value, kind)}
}

// captions compares each name with its number: severity with severity_id, and so on. Only an activity that the schema does not have
// bears a name of its own.
func (s schema) captions(values map[string]any) (found []string) {
	for number, name := range map[string]string{
		"activity_id": "activity_name", "type_uid": "type_name", "severity_id": "severity", "status_id": "status",
		"class_uid": "class_name", "category_uid": "category_name",
	} {
		id, there := values[number].(float64)
		if !there || number == "activity_id" && id == 99 {
			continue
		}
		if want := s.Enumerations[number][fmt.Sprint(int(id))]; values[name] != any(want) {
			found = append(found, fmt.Sprintf("%s is %v, want %q for %s %v", name, values[name], want, number, id))
		}
	}
	if class, _ := values["class_uid"].(float64); class != 0 && values["type_uid"] != class*100+values["activity_id"].(float64) {
		found = append(found, fmt.Sprintf("type_uid is %v", values["type_uid"]))
	}
	return found
}
