package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sandkeeper/internal/env"
	"sandkeeper/internal/ui"
)

// invoke runs one command line on a bare host: an empty home, no terminal.
func invoke(t *testing.T, environ []string, args ...string) (code ExitCode, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	s := &ui.Streams{
		In: strings.NewReader(""), Out: &out, Err: &problems,
		Env: env.Parse(append([]string{"HOME=" + t.TempDir(), "SANDKEEPER_ENGINES=unix:///nowhere/docker.sock", "PATH=/nowhere"}, environ...)),
		UID: os.Geteuid(),
	}
	code = run(t.Context(), args, newApp(args, s))
	return code, out.String(), problems.String()
}

func TestWantsJSONBeforeParsing(t *testing.T) {
	for _, tc := range []struct {
		environ string
		args    string
		want    bool
	}{
		{"", "preflight", false},
		{"", "preflight --json", true},
		{"", "--json nosuch", true},
		{"", "preflight -o json", true},
		{"", "preflight -ojson", true},
		{"", "preflight --output=json", true},
		{"", "preflight --output json", true},
		{"", "preflight -o text", false},
		{"", "preflight -o", false},
		{"", "preflight --json=true", true},
		{"", "preflight -qojson", true},
		{"", "preflight -vo json", true},
		{"", "preflight -gojson", false},
		{"", "diagnose -- --json", false},
		{"SANDKEEPER_OUTPUT=json", "preflight", true},
		{"SANDKEEPER_OUTPUT=json", "preflight -o text", false},
		{"SANDKEEPER_JSON=1", "preflight", true},
		{"SANDKEEPER_JSON=0", "preflight", false},
		{"SANDKEEPER_JSON=t", "preflight", true},
		{"SANDKEEPER_JSON=1", "preflight --json=false", false},
	} {
		s := &ui.Streams{Env: env.Parse([]string{tc.environ})}
		if got := wantsJSON(strings.Fields(tc.args), s); got != tc.want {
			t.Errorf("%s sandkeeper %s: %v, want %v", tc.environ, tc.args, got, tc.want)
		}
	}
}

// A variable that is not set in a script must not turn one into all, another into the same, or sealed into plain.
func TestEmptyValuesAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"backup-all", "--only", ""},
		{"backup-all", "--encrypt-to", ""},
		{"backup-all", "-g", ""},
		{"backup-all", "--backup-dir="},
		{"restore", ""},
		{"restore", "alpha", "--to", ""},
		{"restore", "alpha", "--backup", ""},
		{"restore", "--gateway-state", "", "alpha"},
		{"backups", "prune", "", "--keep", "1", "-y"},
		{"backups", "prune", "--gateway-state", "", "--keep", "1", "-y"},
		{"backups", "verify", ""},
	} {
		code, out, _ := invoke(t, []string{"HOME=" + t.TempDir()}, append(args, "--json")...)
		if code != ExitUsage || !strings.Contains(out, "empty") {
			t.Errorf("%q: exit %d: %s", args, code, out)
		}
	}
}

// Whatever goes wrong before or while a command runs, JSON is exactly one document with the same keys.
func TestEveryFailureIsOneDocument(t *testing.T) {
	for _, tc := range []struct {
		args string
		code ExitCode
		kind string
	}{
		{"--json", ExitUsage, "usage"},
		{"nosuch --json", ExitUsage, "usage"},
		{"backup-all --jobs 0 --json", ExitUsage, "usage"},
		{"backup-all --jobs many --json", ExitUsage, "usage"},
		{"backup-all --secrets include --json", ExitUsage, "usage"},
		{"backup-all --encrypt-to nobody --json", ExitUsage, "usage"},
		{"backup-all --pause-limit=-1s --json", ExitUsage, "usage"},
		{"preflight --color pink --json", ExitUsage, "usage"},
		{"preflight -o yaml --json", ExitUsage, "usage"},
		{"backups --json", ExitUsage, "usage"},
		{"backups list nosuch --json", ExitNotFound, "not_found"},
		{"backups show nosuch --json", ExitNotFound, "not_found"},
		{"backups verify nosuch --json", ExitNotFound, "not_found"},
		{"backups prune --json", ExitUsage, "usage"},
		{"backups prune --keep 1 --dry-run --json", ExitOK, ""},
		{"restore nosuch --json", ExitNotFound, "not_found"},
		{"restore ../up --json", ExitNotFound, "not_found"},
		{"backups show /etc --json", ExitNotFound, "not_found"},
		{"restore a --scope some --json", ExitUsage, "usage"},
		{"diagnose /nowhere/log --json", ExitUsage, "usage"},
		{"diagnose --no-host --json", ExitUsage, "usage"},
		{"preflight --json", ExitRefused, "check_failed"},
		{"preflight -g ../up --json", ExitUsage, "usage"},
		{"gateway status --json", ExitUnreachable, "gateway_unreachable"},
		{"gateway status -g ../up --json", ExitUsage, "usage"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			code, out, _ := invoke(t, nil, strings.Fields(tc.args)...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d\n%s", code, tc.code, out)
			}
			e := decodeOne(t, out)
			if got := e["exitCode"]; got != float64(tc.code) {
				t.Errorf("exitCode = %v, want %d", got, tc.code)
			}
			if got := e["ok"]; got != (tc.kind == "") {
				t.Errorf("ok = %v", got)
			}
			kind := ""
			if problem, ok := e["error"].(map[string]any); ok {
				kind, _ = problem["kind"].(string)
				if problem["message"] == "" {
					t.Errorf("the error says nothing")
				}
			}
			if kind != tc.kind {
				t.Errorf("error.kind = %q, want %q\n%s", kind, tc.kind, out)
			}
		})
	}
}

func decodeOne(t *testing.T, out string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(out))
	var e map[string]any
	if err := decoder.Decode(&e); err != nil {
		t.Fatalf("standard output is no JSON: %v\n%q", err, out)
	}
	if decoder.More() {
		t.Fatalf("more than one document: %q", out)
	}
	for _, key := range []string{"schema", "command", "ok", "exitCode", "error", "preflight", "result"} {
		if _, ok := e[key]; !ok {
			t.Errorf("key %q is missing", key)
		}
	}
	return e
}

func TestEveryFlagHasAnEnvironmentTwin(t *testing.T) {
	code, _, stderr := invoke(t, []string{"SANDKEEPER_JOBS=none"}, "backup-all")
	if code != ExitUsage || !strings.Contains(stderr, "SANDKEEPER_JOBS") {
		t.Errorf("exit %d, stderr %q: want 2 and the variable named", code, stderr)
	}
	if code, _, _ := invoke(t, []string{"SANDKEEPER_PROBE_TIMEOUT=soon"}, "preflight"); code != ExitUsage {
		t.Errorf("a global flag's twin: exit %d, want 2", code)
	}
	if code, _, _ := invoke(t, []string{"SANDKEEPER_JOBS=none"}, "backup-all", "--jobs", "3", "--secrets", "x"); code != ExitUsage {
		t.Errorf("the flag wins over its twin: exit %d", code)
	}
}

func TestTextErrorsNameTheNextStep(t *testing.T) {
	code, out, stderr := invoke(t, nil, "restore", "nosuch")
	if code != ExitNotFound || out != "" {
		t.Errorf("exit %d, stdout %q", code, out)
	}
	if !strings.HasPrefix(stderr, "error: ") || !strings.Contains(stderr, "\nhint: sandkeeper backups list") {
		t.Errorf("stderr = %q", stderr)
	}
}

func TestHelpNeedsNothing(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"backup-all", "--help"}, {"help", "restore"}, {"version"}, {"man"}, {"completion", "bash"}} {
		var out bytes.Buffer
		s := &ui.Streams{In: strings.NewReader(""), Out: &out, Err: &out}
		if code := run(t.Context(), args, newApp(nil, s)); code != ExitOK || out.Len() == 0 {
			t.Errorf("%v: exit %d with %d bytes", args, code, out.Len())
		}
	}
}

// With a template of its own a command links text/template, and the program grows by a quarter: see withoutGroups.
func TestNoCommandHasATemplate(t *testing.T) {
	usual := &cobra.Command{}
	for _, c := range allCommands(newRoot(newApp(nil, &ui.Streams{}))) {
		if c.UsageTemplate() != usual.UsageTemplate() || c.HelpTemplate() != usual.HelpTemplate() || c.VersionTemplate() != usual.VersionTemplate() {
			t.Errorf("%q has a template of its own", c.CommandPath())
		}
	}
}

// A group does nothing by itself: its usage is that of its commands alone.
func TestUsageOfAGroup(t *testing.T) {
	for _, line := range []string{"backups --help", "help backups"} {
		if _, out, _ := invoke(t, nil, strings.Fields(line)...); !strings.Contains(out, "Usage:\n  sandkeeper backups [command]\n") {
			t.Errorf("%s:\n%s", line, out)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A result that could not be written is a failure, in text as in JSON.
func TestUnwrittenResultIsAFailure(t *testing.T) {
	for _, line := range []string{"diagnose --no-host", "diagnose --no-host --json", "--help", "help restore", "completion bash", "man"} {
		var problems bytes.Buffer
		s := &ui.Streams{
			In: strings.NewReader("Error: database is locked"), Out: fullDisk{}, Err: &problems,
			Env: env.Parse([]string{"HOME=" + t.TempDir(), "PATH=/nowhere"}),
		}
		args := strings.Fields(line)
		if code := run(t.Context(), args, newApp(args, s)); code == ExitOK || !strings.Contains(problems.String(), "no space left") {
			t.Errorf("%s: exit %d, %s", line, code, problems.String())
		}
	}
}
