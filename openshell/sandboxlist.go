package openshell

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sandkeeper/internal/pattern"
	"sandkeeper/internal/text"
)

// listing is one page.
type listing struct {
	rows []ListedSandbox
	next string // page token; "" on the last page and in generations without tokens
}

// parseSandboxes reads what `openshell sandbox list` prints on standard output, JSON or table of any generation
// (docs/facts/openshell.md 2.3). Anything that is not wholly a listing is an error, the empty output included.
func parseSandboxes(output string) (listing, error) {
	text := answerIn(output)
	switch {
	case text == "":
		return listing{}, errors.New("the answer is empty")
	case text[0] == '[' || text[0] == '{':
		return sandboxesOfJSON(text)
	}

	rows, err := sandboxesOfTable(text)
	return listing{rows: rows}, err
}

// sandboxesOfJSON accepts […], {"sandboxes":[…],"next_page_token":…} and {"items":[…]}.
func sandboxesOfJSON(text string) (listing, error) {
	var envelope struct {
		Sandboxes *[]jsonSandbox `json:"sandboxes"`
		Items     *[]jsonSandbox `json:"items"`
		Next      string         `json:"next_page_token"`
		NextCamel string         `json:"nextPageToken"`
	}
	target := any(&envelope)
	if text[0] == '[' {
		envelope.Sandboxes = &[]jsonSandbox{}
		target = envelope.Sandboxes
	}
	if err := json.Unmarshal([]byte(text), target); err != nil {
		return listing{}, fmt.Errorf("the answer is not JSON: %w", err)
	}
	items := envelope.Sandboxes
	if items == nil {
		items = envelope.Items
	}
	if items == nil {
		return listing{}, errors.New("the answer has no list of sandboxes")
	}
	page := listing{rows: []ListedSandbox{}, next: either(envelope.Next, envelope.NextCamel)}
	for _, item := range *items {
		row, err := item.sandbox()
		if err != nil {
			return listing{}, err
		}
		page.rows = append(page.rows, row)
	}

	return page, nil
}

type jsonSandbox struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Workspace string            `json:"workspace"`
	Labels    map[string]string `json:"labels"`
	Phase     string            `json:"phase"`
	CreatedAt any               `json:"created_at"`
	// Conditions are shown since 0.1.0 (docs/facts/openshell-0.1.md 3.2).
	Conditions []struct {
		Status  string `json:"status"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"conditions"`
}

// reason is the last condition that does not hold, as the API's reader takes it (wire.Sandbox.Reason).
func (s jsonSandbox) reason() string {
	why := ""
	for _, c := range s.Conditions {
		if !strings.EqualFold(c.Status, "true") {
			why = strings.Trim(c.Reason+": "+c.Message, ": ")
		}
	}
	return text.OneLine(why, 0)
}

func (s jsonSandbox) sandbox() (ListedSandbox, error) {
	if s.Name == "" {
		return ListedSandbox{}, errors.New("the answer has a sandbox without a name")
	}
	created, _ := s.CreatedAt.(string)
	row := ListedSandbox{
		ID: s.ID, Name: s.Name, Workspace: s.Workspace, Labels: s.Labels, Phase: phase(s.Phase), Reason: s.reason(), CreatedAt: moment(created),
	}
	return row, nil // JSON keeps the workspace apart: a slash in a name is part of the name
}

// qualified splits "workspace/name", as tables over all workspaces print it.
func qualified(row ListedSandbox) ListedSandbox {
	workspace, name, ok := strings.Cut(row.Name, "/")
	if ok && workspace != "" && name != "" && (row.Workspace == "" || row.Workspace == workspace) {
		row.Workspace, row.Name = workspace, name
	}
	return row
}

// moment reads "2026-08-21 14:15:56" (UTC) or RFC 3339; the zero time for anything else.
func moment(text string) time.Time {
	for _, layout := range []string{time.DateTime, time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// phase is a phase in the spelling of the table, "Ready", also from "SANDBOX_PHASE_READY" or "ready".
func phase(text string) string {
	text = strings.TrimPrefix(text, "SANDBOX_PHASE_")
	if text == strings.ToUpper(text) || text == strings.ToLower(text) {
		text = strings.ToLower(text)
		if text != "" {
			text = strings.ToUpper(text[:1]) + text[1:]
		}
	}
	return text
}

var columnNames = []string{"NAME", "NAMESPACE", "CREATED", "PHASE", "STATUS", "WORKSPACE", "ID"}

func sandboxesOfTable(written string) ([]ListedSandbox, error) {
	rows := []ListedSandbox{}
	var header []string
	none := false
	for line := range strings.Lines(written) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case header == nil && isHeader(line):
			header = strings.Fields(line)
		case header == nil && !none && strings.HasPrefix(line, "No sandboxes found"):
			none = true
		default:
			row, ok := tableRow(header, line)
			if !ok || none {
				return nil, fmt.Errorf("line %q is not a row of the sandbox table", text.OneLine(line, 120))
			}
			rows = append(rows, row)
		}
	}

	return rows, nil
}

func isHeader(line string) bool {
	names := strings.Fields(line)
	return len(names) > 1 && slices.Contains(columnNames, names[0]) && slices.Contains(names, "NAME") &&
		(slices.Contains(names, "PHASE") || slices.Contains(names, "STATUS"))
}

// timestamp is the only cell with a space in it.
var timestamp = pattern.Of(`^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)$`)

var phaseWord = pattern.Of(`^[A-Za-z]+$`)

func tableRow(header []string, line string) (ListedSandbox, bool) {
	if header == nil {
		return ListedSandbox{}, false
	}
	cells := columns().Split(line, -1)
	if len(cells) != len(header) {
		cells = words(line)
	}
	if len(cells) != len(header) {
		return ListedSandbox{}, false
	}
	row, dated := ListedSandbox{}, true
	for i, name := range header {
		switch name {
		case "NAME":
			row.Name = cells[i]
		case "WORKSPACE":
			row.Workspace = cells[i]
		case "ID":
			row.ID = cells[i]
		case "CREATED":
			row.CreatedAt = moment(cells[i])
			dated = cells[i] == "-" || !row.CreatedAt.IsZero()
		case "PHASE", "STATUS":
			row.Phase = phase(cells[i])
		}
	}

	return qualified(row), dated && phaseWord().MatchString(row.Phase) && !strings.Contains(row.Name, " ")
}

// words are the cells of a row whose columns are parted by single spaces; date and time stay together.
func words(line string) []string {
	var cells []string
	for _, word := range strings.Fields(line) {
		last := len(cells) - 1
		if last >= 0 && timestamp().MatchString(cells[last]+" "+word) {
			cells[last] += " " + word
			continue
		}
		cells = append(cells, word)
	}
	return cells
}
