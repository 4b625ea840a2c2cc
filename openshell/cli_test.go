package openshell

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/internal/env"
)

// real is a CLI that runs a shell script as a real process.
func real(t *testing.T, script string, environ ...string) *CLI {
	t.Helper()
	return &CLI{Path: program(t, t.TempDir(), script), Env: env.Parse(append(environ, "PATH=/usr/bin:/bin")), Timeout: 10 * time.Second}
}

func TestVersionCountsOnlyWhatNamesOpenshell(t *testing.T) {
	for script, want := range map[string]string{
		"echo openshell 0.0.37":               "0.0.37",
		"echo 'openshell 0.0.112-dev.3+gabc'": "0.0.112-dev.3+gabc",
		"echo docker 27.1.0":                  "",
		"echo 0.0.37":                         "",
		"exit 0":                              "",
	} {
		version, err := real(t, script).Version(t.Context())
		got := version.String()
		if got != want && !strings.HasPrefix(want, got) || (err == nil) != (want != "") || want != "" && got == "" {
			t.Errorf("%s: got %q, %v; want %q", script, got, err, want)
		}
	}
	if got, err := (&CLI{Path: "/no/such/openshell"}).Version(t.Context()); err == nil || got.String() != "" {
		t.Errorf("missing: got %q, %v", got, err)
	}
}

// What the CLI is started with: no terminal, plain errors, and nothing in the environment that leads to another gateway.
func TestCallsAreUnattendedAndPinned(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	cli := real(t, `env | sort >`+seen+`; echo "args: $*" >>`+seen+`; read line || echo "stdin: empty" >>`+seen+`; echo '[]'`,
		"OPENSHELL_GATEWAY=other", "OPENSHELL_GATEWAY_ENDPOINT=http://other", "OPENSHELL_WORKSPACE=w", "SECRET=s", "HOME=/h")
	if _, err := cli.Sandboxes(t.Context(), "nemoclaw"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NO_GRAPHICS=1", "NO_COLOR=1", "HOME=/h", "OPENSHELL_WORKSPACE=w", "stdin: empty", "-g nemoclaw"} {
		if !strings.Contains(string(content), want) {
			t.Errorf("%q is missing:\n%s", want, content)
		}
	}
	for _, never := range []string{"OPENSHELL_GATEWAY=", "OPENSHELL_GATEWAY_ENDPOINT", "SECRET"} {
		if strings.Contains(string(content), never) {
			t.Errorf("%q was passed on:\n%s", never, content)
		}
	}
}

func TestHangingAndBabblingCLIs(t *testing.T) {
	cli := real(t, "sleep 60")
	cli.Timeout = 200 * time.Millisecond
	start := time.Now()
	_, err := cli.Sandboxes(t.Context(), "n")
	if failure, ok := errors.AsType[*ListingError](err); !ok || !failure.TimedOut || time.Since(start) > 5*time.Second {
		t.Errorf("hanging: got %v after %s, want timed out", err, time.Since(start))
	}
	_, err = real(t, "echo '['; yes | head -c 17000000").Sandboxes(t.Context(), "n")
	if failure, ok := errors.AsType[*ListingError](err); !ok || failure.TimedOut || len(err.Error()) > 1000 {
		t.Errorf("babbling: got %.300v, want a listing error", err)
	}
}

func TestHasAsksTheHelp(t *testing.T) {
	cli := real(t, `[ "$1 $2 $3" = "sandbox stop --help" ] && { echo "Usage: openshell sandbox stop [OPTIONS] [NAME]"; exit 0; }
echo "error: unrecognized subcommand" >&2; exit 2`)
	if !cli.Has(t.Context(), "sandbox", "stop") || cli.Has(t.Context(), "gateway", "destroy") || cli.Has(t.Context()) {
		t.Error("Has does not follow --help")
	}
	if real(t, "echo anything").Has(t.Context(), "sandbox", "stop") {
		t.Error("a program that says yes to everything was believed")
	}
}

func TestExecStreamsAndKeepsTheExitStatus(t *testing.T) {
	cli := real(t, `while [ "$1" != "--" ]; do shift; done; shift; "$@"`)
	var out bytes.Buffer
	result, err := cli.Exec(t.Context(), ExecRequest{
		Gateway: "g", Name: "alpha", Argv: []string{"sh", "-c", `printf 'a\000b'; cat; echo "Error: of its own" >&2; exit 7`},
		Stdin: strings.NewReader("given"), Stdout: &out, Timeout: 5 * time.Second,
	})
	if err != nil || result.Exit != 7 || out.String() != "a\x00bgiven" || result.Stderr != "Error: of its own\n" {
		t.Errorf("got %+v, %q, %v", result, out.String(), err)
	}
}

// A command that fails inside the sandbox is a result; a command that never ran is an error that says why.
func TestExecTellsTransportFromCommand(t *testing.T) {
	for _, c := range []struct {
		stderr string
		exit   string
		holds  func(*ExecError) bool // nil: it is the command's own failure
	}{
		{"Error: sandbox 'alpha' is not ready (phase: Stopped); wait for it to reach Ready state", "1", func(e *ExecError) bool { return e.NotReady }},
		{`Error: code: 'The service is currently unavailable', message: "supervisor relay failed: no supervisor session"`, "1", func(e *ExecError) bool { return e.RelayFailed }},
		{`Error: status: NotFound, message: "sandbox not found", details: []`, "1", func(e *ExecError) bool { return e.NotFound }},
		{"Error: transport error\n    Caused by: Connection refused (os error 111)", "1", func(e *ExecError) bool { return e.Unreachable }},
		{"tar: /sandbox/x: Cannot open: Permission denied", "1", nil},
		{"Error: cannot find module", "1", nil},
		{`Error: code: 'The service is currently unavailable', message: ""`, "3", nil},
	} {
		cli := real(t, "cat >&2 <<'END'\n"+c.stderr+"\nEND\nexit "+c.exit)
		result, err := cli.Exec(t.Context(), ExecRequest{Name: "alpha", Argv: []string{"true"}})
		failure, _ := errors.AsType[*ExecError](err)
		if c.holds == nil && (err != nil || result.Exit == 0) || c.holds != nil && (failure == nil || !c.holds(failure) || !strings.Contains(err.Error(), `"alpha"`)) {
			t.Errorf("%q, exit %s: got %+v, %v", c.stderr, c.exit, result, err)
		}
	}
}

// A decode failure in the CLI's own words is a mismatch whatever the exit code; the same words of a command inside are its own.
func TestExecMismatchWhateverTheExit(t *testing.T) {
	for _, exit := range []string{"0", "1", "3", "137"} {
		for words, want := range map[string]bool{
			`Error: status: Internal, message: "failed to decode Protobuf message: x"`: true,
			"tar: ./failed to decode Protobuf message: file changed as we read it":     false,
		} {
			_, err := real(t, "cat >&2 <<'END'\n"+words+"\nEND\nexit "+exit).Exec(t.Context(), ExecRequest{Name: "alpha"})
			if _, got := errors.AsType[*MismatchError](err); got != want {
				t.Errorf("exit %s, %s: got %v, want a mismatch: %v", exit, words, err, want)
			}
		}
	}
}

func TestExecEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := real(t, "sleep 60").Exec(ctx, ExecRequest{Name: "alpha"})
	if failure, ok := errors.AsType[*ExecError](err); !ok || !failure.TimedOut || time.Since(start) > 5*time.Second {
		t.Errorf("got %v after %s", err, time.Since(start))
	}
}
