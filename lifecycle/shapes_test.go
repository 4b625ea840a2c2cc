package lifecycle

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sandkeeper/internal/text"

	"go.etcd.io/bbolt"
)

// TestJSONShapes fixes the keys that scripts hold on to: they may be added to, never renamed.
func TestJSONShapes(t *testing.T) {
	ref := Reference{"id-1", "alpha", "gw"}
	when := time.Date(2026, 11, 21, 10, 15, 0, 0, time.UTC)
	info := StateInfo{Sandbox: ref, Status: StatusReady, Extension: "a", SchemaVersion: 1, Bytes: 2, Updated: when}
	const sandbox = `"sandbox":{"id":"id-1","name":"alpha","gateway":"gw"}`
	const state = sandbox + `,"status":"ready","extension":"a","schemaVersion":1,"bytes":2,"updated":"2026-11-21T10:15:00Z"`
	cases := map[string]struct {
		value any
		want  string
	}{
		"listing": {
			Listing{Name: "a", Summary: "s", Active: true, Order: 1, TimeoutMs: 30000, Reads: []uint32{1}},
			`{"name":"a","summary":"s","active":true,"order":1,"timeoutMs":30000,"schemaVersions":[1]}`,
		},
		"state":       {info, `{` + state + `}`},
		"json state":  {detail(info, []byte(`{}`)), `{` + state + `,"json":{}}`},
		"text state":  {detail(info, []byte(`a: `)), `{` + state + `,"text":"a: "}`},
		"bytes state": {detail(info, []byte{0xff}), `{` + state + `,"binary":"/w=="}`},
		"stats":       {ExtensionStats{"a", 1, 2, 3}, `{"extension":"a","states":1,"bytes":2,"largest":3}`},
		"report, all well": {
			ReconcileReport{Sandbox: ref, Extension: "a", Status: StatusReady, Presence: Listed},
			`{` + sandbox + `,"extension":"a","status":"ready","presence":"listed"}`,
		},
		"report, drift": {
			ReconcileReport{Sandbox: ref, Status: StatusDeleting, Action: "x", Authority: Authoritative, Drift: []string{"d"}, Error: "e", Err: errDenied},
			`{` + sandbox + `,"status":"deleting","action":"x","authority":"authoritative","drift":["d"],"error":"e"}`,
		},
		"blob": {State{SchemaVersion: 7, Payload: []byte("hi")}, `{"schema_version":7,"payload":"aGk="}`},
		"record": {
			Tracked{
				Reference: ref, Status: StatusCreating, Chain: []string{"a"}, Prepared: 1, Since: when,
				Additions: []Addition{{"a", "mount", "/t", "", &Mount{"s", "/t", true}}},
			},
			`{"id":"id-1","name":"alpha","gateway":"gw","status":"creating","chain":["a"],"prepared":1,"additions":[{"extension":"a","kind":"mount",` +
				`"key":"/t","mount":{"source":"s","target":"/t","readOnly":true}}],"since":"2026-11-21T10:15:00Z"}`,
		},
	}
	for name, c := range cases {
		got, err := json.Marshal(c.value)
		same(t, name+" error", err, nil)
		same(t, name, string(got), c.want)
	}
}

func TestErrorTexts(t *testing.T) {
	ref := Reference{"id-1", "alpha", "gw"}
	cases := map[string]struct {
		err  error
		want string
	}{
		"phase": {
			&PhaseError{Phase: BeforeDelete, Extension: "a", Sandbox: ref, Err: errDenied},
			`extension "a": before_delete of sandbox "alpha": denied`,
		},
		"abandoned": {
			&PhaseError{Phase: Reconcile, Extension: "a", Sandbox: Reference{ID: "id-1"}, Err: ErrTimeout, Abandoned: true},
			`extension "a": reconcile of sandbox "id-1": timed out; it ignored its cancellation and was left running`,
		},
		"release": {
			&ReleaseError{Sandbox: ref, Err: errDenied},
			`sandbox "alpha" was deleted, but not all that belonged to it was released: denied`,
		},
		"schema": {
			&SchemaError{Sandbox: ref, Extension: "a", Version: 3},
			"sandbox \"alpha\": state of extension \"a\" has schema version 3, this build reads none; link a build that reads it, or look with " +
				"`sandkeeper extensions state show id-1 a` and give it up with `sandkeeper extensions state clear id-1 a`",
		},
		"value":  {BadValue("labels.a", "%q is bad", "b"), `labels.a: "b" is bad`},
		"config": {&ConfigError{File: "f", Line: 3, Err: errDenied}, "f:3: denied"},
	}
	for name, c := range cases {
		same(t, name, c.err.Error(), c.want)
	}
	for _, err := range []error{cases["phase"].err, cases["release"].err, cases["config"].err, &ValueError{Err: errDenied}} {
		if !errors.Is(err, errDenied) {
			t.Errorf("%T hides its cause", err)
		}
	}
}

func TestActivitiesAndSeveritiesHaveOCSFNames(t *testing.T) {
	names := map[Activity]string{
		ActivityInstall: "Install", ActivityRemove: "Remove", ActivityStart: "Start", ActivityStop: "Stop",
		ActivityUpdate: "Update", ActivityOther: "Other",
	}
	for activity, want := range names {
		same(t, "activity", Event{Activity: activity}.activityName(), want)
	}
	severities := map[Severity]string{SeverityInformational: "Informational", SeverityMedium: "Medium", SeverityHigh: "High", 0: "Unknown"}
	for severity, want := range severities {
		same(t, "severity", severity.name(), want)
	}
}

func TestAdditionsGoInAndOutOfARequest(t *testing.T) {
	additions := []Addition{
		{Kind: "env", Key: "A", Value: "1"},
		{Kind: "label", Key: "A", Value: "2"},
		{Kind: "annotation", Key: "A", Value: "3"},
		{Kind: "mount", Key: "/a", Mount: &Mount{Source: "v", Target: "/a"}},
	}
	for _, a := range additions {
		var r Request
		a.apply(&r)
		if same, taken := a.in(r); !same || !taken {
			t.Errorf("%s is not in the request it was put into", a.Kind)
		}
		for _, other := range additions {
			if _, taken := other.in(r); taken != (other.Kind == a.Kind) {
				t.Errorf("%s is taken by %s: %v", other.Kind, a.Kind, taken)
			}
		}
		a.withdraw(&r)
		if _, taken := a.in(r); taken {
			t.Errorf("%s is still there", a.Kind)
		}
		a.withdraw(&r) // once more does no harm
	}
}

func TestAnUnreadableRecordIsNamed(t *testing.T) {
	for bucket, key := range map[string]string{sandboxBucket: "id-alpha", stateBucket: "id-alpha\x00a"} {
		b := newBench(t, "a")
		b.mustCreate(t, "alpha")
		err := b.store.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte(key), []byte("{")) })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.States(); err == nil || !strings.Contains(err.Error(), `sandbox "id-alpha"`) {
			t.Errorf("%s: error %v", bucket, err)
		}
		if _, err := b.Reconcile(t.Context(), nil); err == nil {
			t.Errorf("%s: reconcile went on without it", bucket)
		}
	}
}

// FuzzAuditLine: whatever names and messages hold, an event is one line of JSON.
func FuzzAuditLine(f *testing.F) {
	f.Add("alpha", "sandbox created", "k", "v")
	f.Add("a\nb", "\x1b[31mred", "\xff", "{\"}")
	f.Fuzz(func(t *testing.T, name, message, key, value string) {
		line, err := Event{Sandbox: Reference{Name: name}, Message: message, Failure: errors.New(value), Details: map[string]string{key: value}}.MarshalOCSF()
		var back map[string]any
		if err != nil || strings.ContainsAny(string(line), "\n\r") || json.Unmarshal(line, &back) != nil {
			t.Fatalf("%q, %v", line, err)
		}
		if utf8.ValidString(message) && back["message"] != message {
			t.Errorf("message %q became %q", message, back["message"])
		}
	})
}

// FuzzPasteable: a quoted word is one word to a shell, and the same one.
func FuzzPasteable(f *testing.F) {
	for _, seed := range []string{"id-1", "a b", "x';y", "$(id)", "`id`", "", "\\", "~"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		quoted := text.ShellWord(word)
		if quoted == word {
			if strings.ContainsAny(word, " \t\n'\"\\$`;&|<>()*?[]{}~#!=%") || word == "" {
				t.Errorf("%q was left as it is", word)
			}
			return
		}
		inner := strings.TrimSuffix(strings.TrimPrefix(quoted, "'"), "'")
		if strings.ReplaceAll(inner, `'\''`, "'") != word {
			t.Errorf("%q became %s", word, quoted)
		}
	})
}
