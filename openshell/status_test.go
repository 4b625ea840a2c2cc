package openshell

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/command"
	"sandkeeper/internal/text"
)

func TestParseStatus(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Status
	}{
		{
			"old, with Gateway endpoint", "Server Status\n\n  Gateway: nemoclaw\n  Gateway endpoint: http://127.0.0.1:8080\n  Status: Connected\n",
			Status{Gateway: "nemoclaw", Server: "http://127.0.0.1:8080", Endpoint: "http://127.0.0.1:8080", Status: "connected"},
		},
		{
			"an error under the same heading", "Server Status\n\n  Gateway: n\n  Server: https://h:1\n  Status: Error\n  HTTP: 404\n  gRPC error: Unimplemented\n",
			Status{Gateway: "n", Server: "https://h:1", Endpoint: "https://h:1", Status: "error", Error: "404"},
		},
		{
			"HTTP only", "Server Status\n  Gateway: n\n  Status: Connected (HTTP)\n  Version: 0.0.44\n",
			Status{Gateway: "n", Status: "connected_http", Version: "0.0.44"},
		},
		{"a status in one line", "Gateway status: Connected\n", Status{Status: "connected"}},
		{"two that differ", "Gateway status: Connected\nStatus: Disconnected\n", Status{Status: "disconnected"}},
		{"the other way round", "Status: Disconnected\nGateway status: Connected\n", Status{Status: "disconnected"}},
		{"none", "Gateway Status\n\n  Status: No gateway configured.\n", Status{Status: "not_configured"}},
		{"a word nobody prints", "  Status: Splendid\n", Status{}},
		{
			"JSON", `{"gateway":"n","server":"https://h:1","status":"disconnected","error":"tcp connect error","authentication":{"status":"unknown"}}`,
			Status{Gateway: "n", Server: "https://h:1", Endpoint: "https://h:1", Status: "disconnected", Error: "tcp connect error", Auth: "unknown"},
		},
	} {
		got, err := ParseStatus(c.text)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	for _, text := range []string{"", "hello", `{"gateway":"n"`, `{}`, "Server Status\n  Gateway: n\n"} {
		if got, err := ParseStatus(text); err == nil {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

// scripted answers each call by what its arguments contain; the first match counts.
func scripted(calls *[]string, answers ...any) *CLI {
	var mu sync.Mutex // one question may be asked in two ways at once
	return &CLI{Path: "/scripted/openshell", Run: func(_ context.Context, c command.Command) (command.Result, error) {
		call := strings.Join(c.Args, " ")
		mu.Lock()
		defer mu.Unlock()
		if calls != nil {
			*calls = append(*calls, call)
		}
		for i := 0; i+1 < len(answers); i += 2 {
			if strings.Contains(call, answers[i].(string)) {
				return answers[i+1].(command.Result), nil
			}
		}
		return command.Result{Exit: 1, Stderr: []byte("unscripted: " + call)}, nil
	}}
}

func printed(text string) command.Result { return command.Result{Stdout: []byte(text)} }

func usage(argument string) command.Result {
	return command.Result{Exit: 2, Stderr: []byte("error: unexpected argument '" + argument + "' found\n\nUsage: openshell [OPTIONS]\n")}
}

// A CLI without -o json costs the time of one answer, not of two: its version is not known yet when it is asked for its status.
func TestStatusIsAskedInBothWaysAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const answer = 650 * time.Millisecond
		slow := func(json command.Result) *CLI {
			return &CLI{Run: func(ctx context.Context, c command.Command) (command.Result, error) {
				select {
				case <-time.After(answer):
				case <-ctx.Done():
					return command.Result{Exit: -1}, ctx.Err()
				}
				if slices.Contains(c.Args, "-o") {
					return json, nil
				}
				return printed("Server Status\n  Status: Connected\n  Version: 0.0.44\n"), nil
			}}
		}
		for served, json := range map[string]command.Result{"0.0.44": usage("-o"), "0.1.2": printed(`{"status":"connected","version":"0.1.2"}`)} {
			began := time.Now()
			status, err := slow(json).Status(t.Context(), "n")
			if took := time.Since(began); err != nil || status.Version != served || took > answer {
				t.Errorf("%s: %+v, %v, after %v", served, status, err, took)
			}
		}
	})
}

func TestStatusByVersion(t *testing.T) {
	for known, want := range map[string]string{"0.0.91": "status -g n", "0.0.92": "status -o json -g n", "0.1.5": "status -o json -g n"} {
		var calls []string
		cli := scripted(&calls, "json", printed(`{"status":"connected"}`), "status", printed("Status: Connected\n"))
		cli.Known = version(known)
		if status, err := cli.Status(t.Context(), "n"); err != nil || !status.Connected() || !slices.Equal(calls, []string{want}) {
			t.Errorf("%s: %+v, %v, by %q", known, status, err, calls)
		}
	}
}

// A CLI whose status takes no -g answers for the active gateway, which must be the one that is meant.
func TestStatusWithoutGatewayFlag(t *testing.T) {
	const text = "Server Status\n  Gateway: nemoclaw\n  Server: http://127.0.0.1:8080\n  Status: Connected\n"
	cli := scripted(nil, "-g", usage("-g"), "-o json", usage("-o"), "status", printed(text))
	if status, err := cli.Status(t.Context(), "nemoclaw"); err != nil || !status.Connected() {
		t.Errorf("the active gateway: got %+v, %v", status, err)
	}
	status, err := cli.Status(t.Context(), "nemoclaw-8091")
	if err == nil || status.Connected() {
		t.Errorf("another gateway's name is a prefix of ours: got %+v, want an error", status)
	}
}

func TestStatusFailuresAreNotAStatus(t *testing.T) {
	refused := command.Result{Exit: 1, Stderr: []byte("Error: client error (Connect)\n    Caused by: Connection refused (os error 111)\n")}
	_, err := scripted(nil, "status", refused).Status(t.Context(), "n")
	if failure, ok := errors.AsType[*ListingError](err); !ok || !failure.Unreachable {
		t.Errorf("got %v, want unreachable", err)
	}
	decode := command.Result{Exit: 0, Stdout: []byte("Status: Connected\n"), Stderr: []byte("failed to decode Protobuf message: buffer underflow")}
	_, err = scripted(nil, "status", decode).Status(t.Context(), "n")
	if _, ok := errors.AsType[*MismatchError](err); !ok {
		t.Errorf("got %v, want a mismatch although the exit status is 0", err)
	}
	_, err = scripted(nil, "status", printed("")).Status(t.Context(), "n")
	if _, ok := errors.AsType[*ListingError](err); !ok {
		t.Errorf("got %v, want an unreadable answer", err)
	}
}

func TestGatewayIsAlwaysNamed(t *testing.T) {
	var calls []string
	scripted(&calls, "", printed("[]")).Sandboxes(t.Context(), "edge")
	if len(calls) != 1 || !slices.Contains(strings.Fields(calls[0]), "edge") {
		t.Errorf("got calls %q, want one with -g edge", calls)
	}
}

func FuzzParseStatus(f *testing.F) {
	for _, seed := range []string{"Server Status\n  Status: Connected\n  Version: 0.0.44", `{"status":"connected","error":{"a":1}}`, "Status:", "{"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, written string) {
		status, err := ParseStatus(written)
		if err != nil && status != (Status{}) {
			t.Errorf("%q: an error with a status: %+v", written, status)
		}
		if status.Connected() && !strings.Contains(strings.ToLower(text.StripANSI(written)), "connected") {
			t.Errorf("%q was read as connected", written)
		}
	})
}
