package gateway

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/openshell"
)

func TestServedEvidence(t *testing.T) {
	target := Target{Name: "nemoclaw", Port: 8080, Endpoint: "http://127.0.0.1:8080"}
	status := func(gateway, word, version string) servedAnswer {
		return servedAnswer{Status: openshell.Status{Gateway: gateway, Server: "https://127.0.0.1:8080", Status: word, Version: version}}
	}
	tests := []struct {
		name     string
		answer   servedAnswer
		state    drift.State
		version  string
		answered bool
		endpoint string
		why      string
	}{
		{"connected", status("nemoclaw", "connected", "0.0.37"), drift.Known, "0.0.37", true, "https://127.0.0.1:8080", ""},
		{"connected, unnamed", status("", "connected", "0.0.37"), drift.Known, "0.0.37", true, "https://127.0.0.1:8080", ""},
		{"connected, no version", status("nemoclaw", "connected", ""), drift.Unknown, "", true, "https://127.0.0.1:8080", "without its version"},
		{
			"a name that begins like ours", status("nemoclaw-8091", "connected", "0.0.37"), drift.Unknown, "", false, "https://127.0.0.1:8080",
			`"nemoclaw-8091" answered in place of "nemoclaw"`,
		},
		{"HTTP only", status("nemoclaw", "connected_http", ""), drift.Unknown, "", false, "https://127.0.0.1:8080", "did not answer"},
		{"disconnected", status("nemoclaw", "disconnected", ""), drift.Unknown, "", false, "https://127.0.0.1:8080", "disconnected"},
		{"not configured", status("", "not_configured", ""), drift.Absent, "", false, "https://127.0.0.1:8080", "has no gateway"},
		{"a word of no generation", status("nemoclaw", "", ""), drift.Unknown, "", false, "https://127.0.0.1:8080", "cannot be read"},
		{
			"no CLI",
			servedAnswer{err: fmt.Errorf("no CLI: %w (looked everywhere)", openshell.ErrNotFound)},
			drift.Unknown, "", false,
			"http://127.0.0.1:8080", "no openshell CLI to ask with",
		},
		{"no answer", servedAnswer{err: errors.New("timed out")}, drift.Unknown, "", false, "http://127.0.0.1:8080", "timed out"},
		{
			"answer with a decode error",
			servedAnswer{err: &openshell.MismatchError{Gateway: "nemoclaw", Output: "invalid wire type"}},
			drift.Unknown, "", false,
			"http://127.0.0.1:8080", "invalid wire type",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := servedEvidence(target, test.answer)
			if got.State != test.state || got.Version.String() != test.version || got.Answered != test.answered || got.Endpoint != test.endpoint {
				t.Errorf("served %+v, want %s %q, answered %v, at %s", got, test.state, test.version, test.answered, test.endpoint)
			}
			if !strings.Contains(got.Why, test.why) || (got.Why == "") != (test.state == drift.Known) {
				t.Errorf("reason %q, want %q", got.Why, test.why)
			}
			if !errors.Is(got.Err, test.answer.err) {
				t.Errorf("Err = %v, want %v", got.Err, test.answer.err)
			}
		})
	}
}

func TestSilence(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"ended well and said nothing", &openshell.ListingError{Err: errors.New("no status line")}, true},
		{"said something", &openshell.ListingError{Output: "hello"}, false},
		{"failed", &openshell.ListingError{Exit: 1}, false},
		{"hung", &openshell.ListingError{TimedOut: true}, false},
		{"another error", errors.New("no CLI"), false},
		{"an answer", nil, false},
	}
	for _, test := range tests {
		if got := (servedAnswer{err: test.err}).silent(); got != test.want {
			t.Errorf("%s: silent = %v, want %v", test.name, got, test.want)
		}
	}
}
