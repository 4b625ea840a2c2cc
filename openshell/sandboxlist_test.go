package openshell

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var aDay = time.Date(2026, 8, 21, 14, 15, 56, 0, time.UTC)

func TestParseSandboxTables(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []ListedSandbox
	}{
		{"0.0.36", "NAME   NAMESPACE  CREATED              PHASE\nalpha  openshell  2026-08-21 14:15:56  Ready\n", []ListedSandbox{{Name: "alpha", Phase: "Ready", CreatedAt: aDay}}},
		{"0.0.37", "\x1b[1mNAME \x1b[0m  \x1b[1mCREATED\x1b[0m  \x1b[1mPHASE\x1b[0m\nalpha  2026-08-21 14:15:56  \x1b[32mReady\x1b[39m\n", []ListedSandbox{{Name: "alpha", Phase: "Ready", CreatedAt: aDay}}},
		{"all workspaces", "WORKSPACE  NAME   CREATED              PHASE\nteam       alpha  2026-08-21 14:15:56  Stopped\n", []ListedSandbox{{Workspace: "team", Name: "alpha", Phase: "Stopped", CreatedAt: aDay}}},
		{"workspace in the name", "NAME        CREATED  PHASE\nteam/alpha  -        Error\n", []ListedSandbox{{Workspace: "team", Name: "alpha", Phase: "Error"}}},
		{"single spaces", "NAME CREATED PHASE\nalpha 2026-08-21 14:15:56 Ready\n", []ListedSandbox{{Name: "alpha", Phase: "Ready", CreatedAt: aDay}}},
		{"names that look like something else", "NAME       CREATED  PHASE\nNAME       -        Ready\nno         -        Ready\nname-1     -        Error\nNo         -        Ready\n", []ListedSandbox{
			{Name: "NAME", Phase: "Ready"}, {Name: "no", Phase: "Ready"}, {Name: "name-1", Phase: "Error"}, {Name: "No", Phase: "Ready"},
		}},
		{"Ready is not a phase in the name column", "NAME   CREATED  PHASE\nReady  -        Error\n", []ListedSandbox{{Name: "Ready", Phase: "Error"}}},
		{"none", "No sandboxes found.\n", []ListedSandbox{}},
		{"none, coloured", "\x1b[2mNo sandboxes found.\x1b[0m\n", []ListedSandbox{}},
		{"a header alone", "NAME  CREATED  PHASE\n", []ListedSandbox{}},
	} {
		got, err := rowsOf(c.text)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
}

func TestParseSandboxJSON(t *testing.T) {
	want := []ListedSandbox{{ID: "1", Name: "alpha", Workspace: "default", Phase: "Ready", Labels: map[string]string{"a": "b"}, CreatedAt: aDay}}
	item := `{"id":"1","name":"alpha","workspace":"default","labels":{"a":"b"},"phase":"Ready","created_at":"2026-08-21 14:15:56","new":{"x":[1]}}`
	for _, text := range []string{
		"[" + item + "]", `{"sandboxes":[` + item + `],"next_page_token":""}`, `{"items":[` + item + `]}`,
		strings.ReplaceAll("["+item+"]", "2026-08-21 14:15:56", "2026-08-21T14:15:56Z"), strings.ReplaceAll("["+item+"]", "Ready", "SANDBOX_PHASE_READY"),
	} {
		got, err := rowsOf(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"[]", `{"sandboxes":[]}`, `{"items":[]}`} {
		if got, err := rowsOf(text); err != nil || len(got) != 0 {
			t.Errorf("%s: got %v, %v; want none", text, got, err)
		}
	}
}

// What is not wholly a listing is an error: an empty list would mean that there is nothing to save.
func TestWhatIsNoListingIsAnError(t *testing.T) {
	table := "NAME   CREATED              PHASE\nalpha  2026-08-21 14:15:56  Ready\n"
	for _, text := range []string{
		"", "\n", "\x1b[0m", "hello", "null", "{}", `{"error":"x"}`, `[{"name":"alpha","phase":"Ready"},`, `[{"phase":"Ready"}]`, `[] trailing`,
		`{"sandboxes":null,"items":null}`, table[:len(table)-10] + "\nError: connection lost", table + "panic: at the disco", "Warning: slow\n" + table,
		table + "No sandboxes found.", "No sandboxes found.\n" + table, "alpha  Ready", "<html><body>502 Bad Gateway</body></html>",
		table + "beta  2026-08", `[{"name":5}]`,
	} {
		if got, err := rowsOf(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func FuzzParseSandboxes(f *testing.F) {
	for _, seed := range []string{
		"NAME   CREATED              PHASE\nalpha  2026-08-21 14:15:56  Ready\n", `[{"name":"alpha","phase":"Ready"}]`, `{"sandboxes":[],"next_page_token":"x"}`,
		"No sandboxes found.", "WORKSPACE  NAME  PHASE\na  b/c  d", "\x1b[1mNAME\x1b[0m PHASE",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := rowsOf(text)
		if err == nil && list == nil {
			t.Errorf("%q: neither a list nor an error", text)
		}
		for _, s := range list {
			if s.Name == "" && err == nil {
				t.Errorf("%q: a sandbox without a name", text)
			}
		}
	})
}

// A slash in a JSON name is part of the name: nothing else may be backed up in its place.
func TestJSONNamesAreNotSplit(t *testing.T) {
	rows, err := rowsOf(`[{"name": "a/b", "phase": "Ready"}, {"name": "../etc", "phase": "Ready", "workspace": ".."}]`)
	if err != nil || len(rows) != 2 || rows[0].Name != "a/b" || rows[1].Name != "../etc" {
		t.Errorf("got %+v, %v", rows, err)
	}
}

// TestListingAfterALog reads an answer that the CLI's own log stands before, as 0.0.110 prints it when a token cannot be refreshed. Log
// lines alone are no listing, and what only looks like one is none.
func TestListingAfterALog(t *testing.T) {
	const warning = "2026-11-22T00:32:04.922015Z  WARN openshell: OIDC token refresh failed: no refresh token available\n"
	for name, answer := range map[string]string{
		"JSON":  `[{"id": "id-a", "name": "alpha", "phase": "Ready"}]`,
		"table": "NAME   CREATED              PHASE\nalpha  2026-08-21 14:15:56  Ready\n",
	} {
		rows, err := rowsOf(warning + "\x1b[2m" + warning + answer)
		if err != nil || len(rows) != 1 || rows[0].Name != "alpha" || rows[0].Phase != "Ready" {
			t.Errorf("%s: %+v, %v", name, rows, err)
		}
	}
	for _, output := range []string{warning, "2026-11-22T00:32:04Z something\n[]", "WARN openshell: x\n[]"} {
		if rows, err := rowsOf(output); err == nil {
			t.Errorf("%q passes for a listing: %+v", output, rows)
		}
	}
}

// rowsOf are the sandboxes of one page.
func rowsOf(output string) ([]ListedSandbox, error) {
	page, err := parseSandboxes(output)
	return page.rows, err
}
