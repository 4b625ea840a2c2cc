package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/test/e2e/gateway"
)

// compatibilityHead explains the table that TestCompatibility writes.
const compatibilityHead = `# Compatibility

What sandkeeper makes of every pair of ` + "`openshell`" + ` command line and gateway that we could run. The command lines are real ones (PyPI); the
gateway is ours and speaks the gRPC of each version. Written by ` + "`go test ./test/e2e -run TestCompatibility -update`" + `; the test fails when a
cell changes.
`

// TestCompatibility runs sandkeeper with every real command line against a gateway of every wire generation. The tables are
// docs/compatibility.md.
func TestCompatibility(t *testing.T) {
	var doc strings.Builder
	doc.WriteString(compatibilityHead)
	for _, section := range []struct {
		head, says string
		cell       func(realHost) string
	}{
		{"## `sandkeeper backup-all`\n\nThe gateway says its version, so the schema preflight decides: verdict or error, and exit code.\n", "", dryRun},
		{"## `sandkeeper backup-all`, when the gateway has no version to say\n\nIt reports 0.0.0, a build without a version, and nothing else " +
			"is known about it: what the state call answers decides.\n", "0.0.0", dryRun},
		{"## What the command line itself makes of the answer\n\nThe gateway holds one sandbox that is Ready. This is `openshell sandbox list`, " +
			"as `sandkeeper diagnose` classifies what it\nprinted. *Unspecified* is the silent kind: exit 0, and a running sandbox does not look " +
			"ready. How a real 0.1.x words its refusal\nof a request without workspace has not been seen; those cells rest on our gateway's wording.\n", "", answerCell},
	} {
		doc.WriteString("\n" + section.head + "\n| openshell | " + strings.Join(gatewayVersions(), " | ") + " |\n|---" +
			strings.Repeat("|---", len(gatewayVersions())) + "|\n")
		for _, cli := range realVersions() {
			doc.WriteString("| " + cli)
			for _, version := range gatewayVersions() {
				doc.WriteString(" | " + section.cell(compared(t, cli, version, section.says)))
			}
			doc.WriteString(" |\n")
		}
	}
	doc.WriteString(sdkTable(t))
	golden(t, "../../docs/compatibility.md", doc.String())
}

const sdkHead = "\n## What the Python SDK of 0.1.5 makes of each gateway\n\nThe real client of the wheel `openshell` 0.1.5, which has no command line. The gateway holds one sandbox " +
	"that is Ready. A word in capitals is the gRPC code\nthat the call ended with; *empty* is an answer that the client reads as nothing.\n"

// sdkTable runs the real client of 0.1.5 against a gateway of every wire generation.
func sdkTable(t *testing.T) string {
	t.Helper()
	versions := append(gatewayVersions(), pairVersion)
	answers := map[string]map[string]string{}
	for _, version := range versions {
		address := strings.TrimPrefix(serveGateway(t, &gateway.Server{Version: version, Backend: gateway.NewMemory(population()[0])}), "http://")
		p := run(t, os.Environ(), pythonClient(t), "testdata/sdk.py", address)
		if p.exit != 0 {
			t.Fatalf("%s: exit %d\n%s", version, p.exit, p.stderr)
		}
		answers[version] = map[string]string{}
		for line := range strings.Lines(p.stdout) {
			call, answer, _ := strings.Cut(strings.TrimSpace(line), " ")
			answers[version][call] = answer
		}
	}
	var table strings.Builder
	table.WriteString(sdkHead + "\n| SDK 0.1.5 | " + strings.Join(versions, " | ") + " |\n|---" + strings.Repeat("|---", len(versions)) + "|\n")
	for _, call := range []string{"health", "list", "get", "delete"} {
		table.WriteString("| " + call)
		for _, version := range versions {
			table.WriteString(" | " + answers[version][call])
		}
		table.WriteString(" |\n")
	}
	return table.String()
}

// pythonClient runs Python with the real client of OpenShell 0.1.5.
func pythonClient(t *testing.T) string {
	t.Helper()
	python, err := filepath.Abs("../../.cache/openshell-python/python")
	if err == nil {
		_, err = os.Stat(python)
	}
	if err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_OPENSHELL", "the Python client of OpenShell 0.1.5: run test/e2e/fetch-python-client.sh")
	}
	return python
}

func dryRun(h realHost) string {
	e := h.document("backup-all", "--dry-run")
	if e.Error != nil {
		return fmt.Sprintf("%s, %d", e.Error.Kind, e.ExitCode)
	}
	return fmt.Sprintf("%s, %d", e.Preflight.Verdict, e.ExitCode)
}

func answerCell(h realHost) string {
	p := run(h.t, h.env, h.openshell, "sandbox", "list")
	switch {
	case p.exit == 0 && strings.Contains(p.stdout, "Ready"):
		return "understood"
	case p.exit == 0 && strings.Contains(p.stdout, "Unspecified"):
		return "*Unspecified*"
	}
	text := filepath.Join(h.t.TempDir(), "printed")
	write(h.t, text, p.stdout+p.stderr)
	e := h.document("diagnose", text)
	if e.Result == nil {
		return fmt.Sprintf("no diagnosis, %d", e.ExitCode)
	}
	return e.Result.Class
}

// compared is a host whose gateway holds one sandbox, that is Ready, and where no container engine answers.
func compared(t *testing.T, cli, version, says string) realHost {
	h := newRealHost(t, realCLI(t, cli), &gateway.Server{
		Version: version, Says: says, Backend: gateway.NewMemory(population()[0]),
	})
	h.registry("alpha")
	h.env = append(h.env, "SANDKEEPER_ENGINES=unix://"+filepath.Join(h.home, "no-docker.sock"))
	return h
}

// realHost is a throw-away home with a real openshell and a gateway of our own that answers it.
type realHost struct {
	t         *testing.T
	home      string
	openshell string
	env       []string
}

func newRealHost(t *testing.T, openshell string, g *gateway.Server) realHost {
	t.Helper()
	return newRealHostAt(t, openshell, serveGateway(t, g))
}

// newRealHostAt is for a gateway that serves already.
func newRealHostAt(t *testing.T, openshell, endpoint string) realHost {
	t.Helper()
	home := t.TempDir()
	return realHost{t: t, home: home, openshell: openshell, env: append(engineEnv(), []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + configHome(t, endpoint), "LANG=C.UTF-8", "NO_GRAPHICS=1",
		"PATH=" + filepath.Dir(openshell) + ":/usr/bin:/bin",
	}...)}
}

// text runs sandkeeper on this host.
func (h realHost) text(args ...string) printed {
	h.t.Helper()
	return run(h.t, h.env, append([]string{filepath.Join(os.Getenv(programs), "sandkeeper")}, args...)...)
}

// document runs sandkeeper with --json.
func (h realHost) document(args ...string) envelope {
	h.t.Helper()
	p := h.text(append(args, "--json")...)
	var e envelope
	if err := json.Unmarshal([]byte(p.stdout), &e); err != nil {
		h.t.Fatalf("sandkeeper %q: %v\n%s\n%s", args, err, p.stdout, p.stderr)
	}
	return e
}
