package openshell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/internal/command"
)

// server is a stand-in gateway behind a CLI of a generation: how many sandboxes it has, and how it pages.
type server struct {
	total        int
	ignoreOffset bool
	ignoreLimit  bool
	tokens       bool // 0.1.x: --page-size, --page-token, an envelope
	workspaces   bool // knows --all-workspaces
	noPaging     bool // knows no paging argument at all
	sameToken    bool
	textOnly     bool
	known        string // its version, as the caller knows it
	calls        [][]string
}

func (s *server) CLI() *CLI {
	return &CLI{Path: "/stand-in/openshell", Known: version(s.known), Run: s.run}
}

func version(text string) drift.Version { v, _ := drift.Parse(text); return v }

func (s *server) run(_ context.Context, c command.Command) (command.Result, error) {
	s.calls = append(s.calls, c.Args)
	given := func(flag string) (string, bool) {
		at := slices.Index(c.Args, flag)
		if at < 0 {
			return "", false
		}
		return c.Args[at+1], true
	}
	for flag, unknown := range map[string]bool{
		"-o": s.textOnly, "--limit": s.tokens || s.noPaging, "--offset": s.tokens || s.noPaging, "--page-size": !s.tokens, "--page-token": !s.tokens,
	} {
		if _, ok := given(flag); ok && unknown {
			return usage(flag), nil
		}
	}
	if slices.Contains(c.Args, "--all-workspaces") && !s.workspaces {
		return usage("--all-workspaces"), nil
	}
	limit, from := s.total, 0
	for _, flag := range []string{"--limit", "--page-size"} {
		if text, ok := given(flag); ok && !s.ignoreLimit {
			limit, _ = strconv.Atoi(text)
		}
	}
	for _, flag := range []string{"--offset", "--page-token"} {
		if text, ok := given(flag); ok && !s.ignoreOffset {
			from, _ = strconv.Atoi(text)
		}
	}
	return s.page(min(from, s.total), min(from+limit, s.total)), nil
}

func (s *server) page(from, to int) command.Result {
	rows := []map[string]string{}
	table := "NAME  CREATED  PHASE\n"
	for i := from; i < to; i++ {
		rows = append(rows, map[string]string{"id": fmt.Sprint(i), "name": fmt.Sprintf("box-%d", i), "phase": "Ready"})
		table += fmt.Sprintf("box-%d  -  Ready\n", i)
	}
	if s.textOnly {
		return printed(table)
	}
	var answer any = rows
	if s.tokens {
		next := ""
		if to < s.total {
			next = strconv.Itoa(to)
		}
		if s.sameToken {
			next = "again"
		}
		answer = map[string]any{"sandboxes": rows, "next_page_token": next}
	}
	text, _ := json.Marshal(answer)
	return printed(string(text))
}

func TestEveryPageIsRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		s     server
		calls int // at most
	}{
		{"few", server{total: 3, known: "0.0.87"}, 1},
		{"few, all workspaces", server{total: 3, workspaces: true, known: "0.0.110"}, 1},
		{"few, version not known", server{total: 3}, 2},
		{"none", server{known: "0.0.87"}, 1},
		{"exactly one page", server{total: 100, known: "0.0.87"}, 2},
		{"many", server{total: 1234, known: "0.0.87"}, 13},
		{"table", server{total: 250, textOnly: true, known: "0.0.37"}, 3},
		{"table, version not known", server{total: 250, textOnly: true}, 5},
		{"tokens", server{total: 250, tokens: true, workspaces: true, known: "0.1.5"}, 3},
		{"tokens, version not known", server{total: 250, tokens: true, workspaces: true}, 4},
		{"no limit known to the server", server{total: 1000, ignoreLimit: true, ignoreOffset: true, known: "0.0.87"}, 1},
		{"offset ignored", server{total: 250, ignoreOffset: true, known: "0.0.87"}, 3},
		{"no paging, few", server{total: 99, noPaging: true, textOnly: true}, 5},
	} {
		list, err := c.s.CLI().Sandboxes(t.Context(), "nemoclaw")
		if err != nil || len(list) != c.s.total || len(c.s.calls) > c.calls {
			t.Errorf("%s: got %d sandboxes in %d calls (%v), want %d in at most %d", c.name, len(list), len(c.s.calls), err, c.s.total, c.calls)
		}
		for _, call := range c.s.calls {
			if at := slices.Index(call, "-g"); at < 0 || call[at+1] != "nemoclaw" {
				t.Errorf("%s: call %q does not name the gateway", c.name, call)
			}
		}
	}
}

// A listing that cannot be read to its end is an error, not a shorter list.
func TestUnendingListsAreErrors(t *testing.T) {
	for name, s := range map[string]server{
		"offset ignored, more than any page": {total: 5000, ignoreOffset: true},
		"the same token for ever":            {total: 300, tokens: true, sameToken: true},
		"a full page and no way on":          {total: 100, noPaging: true},
	} {
		list, err := s.CLI().Sandboxes(t.Context(), "n")
		if _, ok := errors.AsType[*ListingError](err); !ok || list != nil {
			t.Errorf("%s: got %d sandboxes, %v; want a listing error", name, len(list), err)
		}
	}
}

func TestFailedListingsAreNeverEmpty(t *testing.T) {
	for _, c := range []struct {
		name   string
		result command.Result
		err    error
		want   ListingError // its three flags
	}{
		{"nothing, exit 0", command.Result{}, nil, ListingError{}},
		{"nothing, exit 1", command.Result{Exit: 1}, nil, ListingError{}},
		{"a list, exit 1", command.Result{Exit: 1, Stdout: []byte("[]")}, nil, ListingError{}},
		{"cut off", command.Result{Stdout: []byte(`[{"name":"a","phase":"Ready"},`)}, nil, ListingError{}},
		{"too long", command.Result{Stdout: []byte("[]"), Truncated: true}, nil, ListingError{}},
		{"hanging", command.Result{Exit: -1, TimedOut: true}, context.DeadlineExceeded, ListingError{TimedOut: true}},
		{"killed", command.Result{Exit: -1}, context.Canceled, ListingError{}},
		{"not registered", command.Result{Exit: 1, Stderr: []byte("Error: No active gateway.")}, nil, ListingError{NotRegistered: true}},
		{"unknown gateway", command.Result{Exit: 1, Stderr: []byte("Error: Unknown gateway 'n'.")}, nil, ListingError{NotRegistered: true}},
		{"refused", command.Result{Exit: 1, Stderr: []byte("Error:   × transport error\n  ╰─▶ Connection\n  │ refused (os error 111)")}, nil, ListingError{Unreachable: true}},
		{"unavailable", command.Result{Exit: 1, Stderr: []byte("Error: code: 'The service is currently unavailable', message: \"\"")}, nil, ListingError{Unreachable: true}},
		{"foreign", command.Result{Stdout: []byte("bash: openshell: command not found")}, nil, ListingError{}},
		{"usage", command.Result{Exit: 2, Stderr: []byte("error: unrecognized subcommand 'sandbox'")}, nil, ListingError{}},
	} {
		cli := &CLI{Run: func(context.Context, command.Command) (command.Result, error) { return c.result, c.err }}
		list, err := cli.Sandboxes(t.Context(), "n")
		got, ok := errors.AsType[*ListingError](err)
		if !ok || list != nil {
			t.Errorf("%s: got %v, %v; want a listing error", c.name, list, err)
			continue
		}
		if got.Unreachable != c.want.Unreachable || got.NotRegistered != c.want.NotRegistered || got.TimedOut != c.want.TimedOut {
			t.Errorf("%s: got %+v, want %+v", c.name, *got, c.want)
		}
		if !strings.Contains(err.Error(), `"n"`) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: message %q does not name the gateway in one line", c.name, err)
		}
		if c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v does not wrap %v", c.name, err, c.err)
		}
	}
}

// The reactive path: whatever the exit status, whichever stream, on whichever page.
func TestMismatchIsSeenAnywhere(t *testing.T) {
	const text = `status: Internal, message: "failed to decode Protobuf message: Sandbox.metadata: invalid wire type value: 6"`
	for name, result := range map[string]command.Result{
		"stderr, exit 1": {Exit: 1, Stderr: []byte(text)},
		"stderr, exit 0": {Stdout: []byte("No sandboxes found.\n"), Stderr: []byte(text)},
		"stdout, exit 0": {Stdout: []byte(text)},
		"exit 2":         {Exit: 2, Stderr: []byte("error: unexpected argument '-o' found\n" + text)},
		"timed out":      {Exit: -1, TimedOut: true, Stderr: []byte(text)},
	} {
		cli := &CLI{Run: func(context.Context, command.Command) (command.Result, error) {
			if result.TimedOut {
				return result, context.DeadlineExceeded
			}
			return result, nil
		}}
		list, err := cli.Sandboxes(t.Context(), "n")
		mismatch, ok := errors.AsType[*MismatchError](err)
		if !ok || list != nil || !strings.Contains(mismatch.Output, "invalid wire type value: 6") || !strings.Contains(err.Error(), `"n"`) {
			t.Errorf("%s: got %v, %v; want a mismatch", name, list, err)
		}
	}
	s := server{total: 250}
	later := &CLI{Run: func(ctx context.Context, c command.Command) (command.Result, error) {
		if len(s.calls) == 2 {
			return command.Result{Exit: 1, Stderr: []byte(text)}, nil
		}
		return s.run(ctx, c)
	}}
	list, err := later.Sandboxes(t.Context(), "n")
	if _, ok := errors.AsType[*MismatchError](err); !ok || list != nil {
		t.Errorf("third page: got %d sandboxes, %v; want a mismatch", len(list), err)
	}
}
