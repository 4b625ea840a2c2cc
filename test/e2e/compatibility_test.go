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

// TestCompatibility runs sandkeeper with every real command line against a gateway of every wire generation, twice: with the version
// evidence, and on a state call's answer alone. The table is docs/compatibility.md.
func TestCompatibility(t *testing.T) {
	tables := map[string]*strings.Builder{"verdict": {}, "answer": {}}
	for _, table := range tables {
		table.WriteString("| openshell | " + strings.Join(gatewayVersions(), " | ") + " |\n|---" + strings.Repeat("|---", len(gatewayVersions())) + "|\n")
	}
	for _, cli := range realVersions() {
		for _, table := range tables {
			table.WriteString("| " + cli)
		}
		for _, version := range gatewayVersions() {
			h := newRealHost(t, cli, version)
			tables["verdict"].WriteString(" | " + verdictCell(h.document("backup-all", "--dry-run")))
			tables["answer"].WriteString(" | " + answerCell(h))
		}
		for _, table := range tables {
			table.WriteString(" |\n")
		}
	}
	golden(t, "../../docs/compatibility.md", compatibilityHead+
		"## `sandkeeper backup-all`\n\nThe gateway says its version, so the schema preflight decides: verdict or error, and exit code.\n\n"+tables["verdict"].String()+
		"\n## What the command line itself makes of the answer\n\nThe gateway holds one sandbox that is Ready. This is `openshell sandbox list`, as `sandkeeper diagnose` classifies what it\n"+
		"printed. *Unspecified* is the silent kind: exit 0, and a running sandbox does not look ready.\n\n"+tables["answer"].String())
}

func verdictCell(e envelope) string {
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

// realHost is a throw-away home with a real openshell and a gateway of our own that answers it.
type realHost struct {
	t         *testing.T
	openshell string
	env       []string
}

func newRealHost(t *testing.T, cli, version string) realHost {
	t.Helper()
	openshell := realCLI(t, cli)
	endpoint := serve(t, version, gateway.NewMemory(population()[0]))
	config, home := configHome(t, endpoint), t.TempDir()
	registry := filepath.Join(home, ".nemoclaw")
	if err := os.MkdirAll(registry, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(registry, "sandboxes.json"),
		`{"sandboxes":{"alpha":{"name":"alpha","createdAt":"2026-06-02T09:14:55.120Z","gatewayName":"nemoclaw"}},"defaultSandbox":"alpha"}`)
	return realHost{t: t, openshell: openshell, env: []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + config, "LANG=C.UTF-8", "NO_GRAPHICS=1", "PATH=" + filepath.Dir(openshell) + ":/usr/bin:/bin",
		"DOCKER_HOST=unix://" + filepath.Join(home, "no-docker.sock"),
	}}
}

// document runs sandkeeper with --json.
func (h realHost) document(args ...string) envelope {
	h.t.Helper()
	p := run(h.t, h.env, append([]string{filepath.Join(os.Getenv(programs), "sandkeeper")}, append(args, "--json")...)...)
	var e envelope
	if err := json.Unmarshal([]byte(p.stdout), &e); err != nil {
		h.t.Fatalf("sandkeeper %q: %v\n%s\n%s", args, err, p.stdout, p.stderr)
	}
	return e
}
