package cmd

import (
	"bytes"
	"strings"
	"testing"

	"sandkeeper/internal/env"
	"sandkeeper/internal/ui"
	"sandkeeper/lifecycle"
	"sandkeeper/lifecycle/builtin"
)

// downstream runs a command line of a program that links more extensions, on a bare host.
func downstream(t *testing.T, active string, linked []lifecycle.Definition, args ...string) (code ExitCode, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	s := &ui.Streams{
		In: strings.NewReader(""), Out: &out, Err: &problems,
		Env: env.Parse([]string{
			"HOME=" + t.TempDir(), "SANDKEEPER_ENGINES=unix:///nowhere/docker.sock", "PATH=/nowhere", "GOGC=100", lifecycle.OverrideVariable + "=" + active,
		}),
	}
	code = Main(args, s, linked...)
	return code, out.String(), problems.String()
}

// theirs is an extension of a downstream that was never made: nothing here creates a sandbox.
func theirs() lifecycle.Definition {
	return lifecycle.Define("noop", "theirs", nil, func(struct{}) (lifecycle.Extension, error) { return struct{ lifecycle.Extension }{}, nil })
}

func TestADownstreamLinksItsOwnExtensions(t *testing.T) {
	code, out, stderr := downstream(t, "noop", []lifecycle.Definition{theirs()}, "extensions", "list")
	if code != ExitOK {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	for _, want := range []string{"1      noop               yes", "-      fleet-labels       no", "-      workload-identity  no"} {
		if !strings.Contains(out, want) {
			t.Errorf("no line %q in:\n%s", want, out)
		}
	}
}

func TestExtensionsThatAreNotLinkedAreUnknown(t *testing.T) {
	code, _, stderr := downstream(t, "noop", nil, "upgrade-sandboxes")
	if code != ExitUsage || !strings.Contains(stderr, `"noop"`) || !strings.Contains(stderr, "exec-hooks, fleet-labels, workload-identity") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func TestANameLinkedTwiceStopsEverything(t *testing.T) {
	code, _, stderr := downstream(t, "", []lifecycle.Definition{builtin.FleetLabels()}, "extensions", "list")
	if code == ExitOK || !strings.Contains(stderr, `extension "fleet-labels" is linked in twice`) {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}
