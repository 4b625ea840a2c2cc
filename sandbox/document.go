package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// errNotRegistry is wrapped when a file's content is not a registry: torn, not JSON, or of another shape.
var errNotRegistry = errors.New("not a NemoClaw registry")

// document is one sandboxes.json as parsed.
type document struct {
	rows         []Row
	reservations int
	problems     []string
}

// member is one key of a JSON object with its value as it stands. encoding/json matches keys without regard to case and
// forgets duplicates; a registry is read by exact keys, and a duplicate is worth a word.
type member struct {
	key   string
	value json.RawMessage
}

// members splits a JSON object into its members, in the file's order.
func members(object json.RawMessage) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if token != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	var found []member
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: key.(string)} // the decoder lets nothing but a string stand for a key
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		found = append(found, m)
	}

	return found, nil
}

// last is the value of key; of several, the last one, as in JavaScript. nil when there is none.
func last(fields []member, key string) json.RawMessage {
	for i := len(fields) - 1; i >= 0; i-- {
		if fields[i].key == key {
			return fields[i].value
		}
	}
	return nil
}

// textOf is raw as a string, or "" when it is anything else.
func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// parseDocument reads the whole of content as a registry. Errors wrap errNotRegistry.
func parseDocument(content []byte) (document, error) {
	if len(bytes.TrimSpace(content)) == 0 {
		return document{}, fmt.Errorf("%w: the file is empty", errNotRegistry)
	}
	var whole json.RawMessage
	if err := json.Unmarshal(content, &whole); err != nil {
		return document{}, fmt.Errorf("%w: it is not valid JSON: %w", errNotRegistry, err)
	}
	top, err := members(whole)
	if err != nil {
		return document{}, fmt.Errorf("%w: it is %w", errNotRegistry, err)
	}
	var sections []json.RawMessage
	for _, m := range top {
		if m.key == "sandboxes" {
			sections = append(sections, m.value)
		}
	}

	if len(sections) != 1 {
		return document{}, fmt.Errorf("%w: it has %d keys \"sandboxes\", expected one", errNotRegistry, len(sections))
	}
	entries, err := members(sections[0])
	if err != nil {
		return document{}, fmt.Errorf("%w: \"sandboxes\" is %w", errNotRegistry, err)
	}
	return readRows(entries), nil
}

func readRows(entries []member) document {
	var doc document
	latest := make(map[string]int, len(entries))
	for i, m := range entries {
		latest[m.key] = i
	}
	for i, m := range entries {
		if latest[m.key] != i {
			doc.problems = append(doc.problems, fmt.Sprintf("row %q appears more than once: the last one counts", m.key))
			continue
		}
		row, reserved, problem := readRow(m)
		switch {
		case problem != "":
			doc.problems = append(doc.problems, fmt.Sprintf("row %q is ignored: %s", m.key, problem))
		case reserved:
			doc.reservations++
		default:
			doc.rows = append(doc.rows, row)
		}
	}

	return doc
}

// readRow reads one entry. NemoClaw keeps an entry only when it is an object whose non-empty name is its key.
func readRow(m member) (row Row, reserved bool, problem string) {
	fields, err := members(m.value)
	if err != nil {
		return Row{}, false, "it is " + err.Error()
	}
	name := textOf(last(fields, "name"))
	if name == "" {
		return Row{}, false, "it has no name"
	}
	if name != m.key {
		return Row{}, false, fmt.Sprintf("its name is %q", name)
	}
	if string(last(fields, "pendingRouteReservation")) == "true" && last(fields, "createdAt") == nil {
		return Row{}, true, ""
	}
	row = Row{
		Name:             name,
		Agent:            textOf(last(fields, "agent")),
		AgentVersion:     textOf(last(fields, "agentVersion")),
		NemoclawVersion:  textOf(last(fields, "nemoclawVersion")),
		ImageTag:         textOf(last(fields, "imageTag")),
		OpenshellDriver:  textOf(last(fields, "openshellDriver")),
		OpenshellVersion: textOf(last(fields, "openshellVersion")),
		Raw:              m.value,
	}
	if agent := last(fields, "agent"); null(agent) || string(agent) == `""` {
		row.Agent = "openclaw" // what NemoClaw means by none; a value of another type stays unknown
	}
	return row, false, ""
}
