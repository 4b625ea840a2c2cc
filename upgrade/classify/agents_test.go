package classify

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/env"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAgentRootsFollowTheCommandToItsPackage(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pkg := filepath.Join(base, "lib/node_modules/nemoclaw")
	write(t, filepath.Join(pkg, "bin/nemoclaw.js"), "#!/usr/bin/env node\n")
	link := filepath.Join(base, "bin/nemoclaw")
	write(t, filepath.Join(base, "bin/other"), "")
	if err := os.Symlink(filepath.Join(pkg, "bin/nemoclaw.js"), link); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(base, "home")
	roots := AgentRoots(env.Parse([]string{"HOME=" + home}), link)
	if !slices.Contains(roots, filepath.Join(pkg, "agents")) || roots[len(roots)-1] != filepath.Join(home, ".nemoclaw/source/agents") {
		t.Errorf("got %v", roots)
	}
	for _, absent := range []string{"", filepath.Join(base, "gone")} {
		if got := AgentRoots(env.Parse([]string{"HOME=" + home}), absent); len(got) != 1 {
			t.Errorf("%q: %v", absent, got)
		}
	}
	if got := AgentRoots(env.Parse(nil), ""); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if got := AgentRoots(env.Parse(nil), "/bin"); slices.Contains(got, "/agents") && len(got) > 1 {
		t.Errorf("went past the root: %v", got)
	}
}

func TestReadAgents(t *testing.T) {
	base := t.TempDir()
	first, second := filepath.Join(base, "first"), filepath.Join(base, "second")
	write(t, filepath.Join(first, "README.md"), "no manifests here")
	write(t, filepath.Join(second, "hermes/manifest.yaml"), "name: hermes\nversion_command: \"hermes --version\"\nexpected_version: \"0.21.3\"\nversion_scheme: semver\nstate_dirs:\n  - path: x\n")
	write(t, filepath.Join(second, "pi/manifest.yaml"), "expected_version: 0.84\nversion_command: sh -c 'pi -v'\nversion_scheme: moon\n")
	write(t, filepath.Join(second, "nemocua/manifest.yaml"), "name: nemocua\n")
	write(t, filepath.Join(second, "open/manifest.yaml"), "version_command: open -v\nversion_scheme: calendar\n")
	write(t, filepath.Join(second, "torn/manifest.yaml"), "name: [\n")
	write(t, filepath.Join(second, "empty/other.yaml"), "")
	third := filepath.Join(base, "third")
	write(t, filepath.Join(third, "openclaw/manifest.yaml"), "expected_version: 1.0.0\n")

	got := ReadAgents(env.Parse([]string{"HOME=" + base}), []string{filepath.Join(base, "gone"), first, second, third},
		map[string]string{"hermes": "9.9.9", "mine": "1.2.3", "blank": "", "open": "2026.7.1"})
	want := map[string]Agent{
		"hermes":  {Expected: "0.21.3", Scheme: "semver", Argv: []string{"hermes", "--version"}},
		"pi":      {Expected: "0.84"},
		"nemocua": {Argv: []string{}},
		"mine":    {Expected: "1.2.3"},
		"open":    {Expected: "2026.7.1", Scheme: "calendar", Argv: []string{"open", "-v"}},
	}
	if diff := cmp.Diff(want, got.ByName); diff != "" {
		t.Error(diff)
	}
	if len(got.Problems) != 1 || !strings.Contains(got.Problems[0], "torn/manifest.yaml") {
		t.Errorf("problems %v", got.Problems)
	}
}

func TestReadAgentsIsNotLedOutOfTheHome(t *testing.T) {
	home, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "manifest.yaml"), "expected_version: 6.6.6\n")
	root := filepath.Join(home, ".nemoclaw/source/agents")
	write(t, filepath.Join(root, "openclaw/manifest.yaml"), "expected_version: 1.0.0\n")
	if err := os.Mkdir(filepath.Join(root, "hermes"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "manifest.yaml"), filepath.Join(root, "hermes/manifest.yaml")); err != nil {
		t.Fatal(err)
	}
	got := ReadAgents(env.Parse([]string{"HOME=" + home}), []string{root}, nil)
	if len(got.ByName) != 1 || len(got.Problems) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestAgentArgv(t *testing.T) {
	for name, want := range map[string]int{"openclaw": 2, "-rf": 0, "a/b": 0, "": 0} {
		if got := (Agent{}).argv(name); len(got) != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	if got := (Agent{Argv: []string{"dcode", "-v"}}).argv("x"); got[0] != "dcode" {
		t.Errorf("got %v", got)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte("expected_version: 1.2.3\nversion_command: hermes --version\n"))
	f.Add([]byte("expected_version: [1]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		agent, err := parseManifest(content)
		if err == nil && strings.ContainsAny(strings.Join(agent.Argv, " "), "'\"`$|&;<>\n") {
			t.Fatalf("argv %q", agent.Argv)
		}
	})
}
