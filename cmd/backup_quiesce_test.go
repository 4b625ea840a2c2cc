package cmd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/ui"
	"sandkeeper/lifecycle"
)

// shell is what runs in a sandbox: it notes its commands.
type shell struct {
	mu   sync.Mutex
	ran  []string
	fail string // the command that fails
}

func (s *shell) run(argv []string) (stdout, stderr string, exit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := strings.Join(argv, " ")
	if !strings.HasSuffix(line, "openshell-sandbox --version") { // the question for the manifest
		s.ran = append(s.ran, line)
	}
	if line == s.fail {
		return "it went wrong inside", "", 3
	}
	return "inside: " + line, "", 0
}

// took is what ran since it was last asked.
func (s *shell) took() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ran := strings.Join(s.ran, ", ")
	s.ran = nil
	return ran
}

// hooked is a host with a running sandbox, a stopped one, and hooks.
func hooked(t *testing.T, table string) (*madeUpHost, *shell) {
	t.Helper()
	h, s := newHost(t), &shell{}
	for name, state := range map[string]string{"alpha": "running", "beta": "exited"} {
		h.engine.Add(dockertest.Container{
			Name: "openshell-" + name, State: state, Image: "sandbox:1", Exec: s.run,
			Labels: map[string]string{"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-name": name, "openshell.ai/sandbox-id": "id-" + name},
			Files:  []dockertest.File{{Path: "/sandbox", Type: '5', Mode: 0o755}, {Path: "/sandbox/notes.md", Data: []byte("notes")}},
		})
	}
	h.write(t, ".config/sandkeeper/config.toml", "[compute]\nextensions = [\"exec-hooks\"]\n[compute.extension.\"exec-hooks\"]\n"+
		"before = [\"rest\"]\nafter = [\"go\", \"on\"]\n"+table)
	return h, s
}

func TestHooksRunAroundTheBackupOfWhatRuns(t *testing.T) {
	h, s := hooked(t, "")
	h.mustRun("backup-all", "--offline")
	if ran := s.took(); ran != "rest, go on" {
		t.Errorf("ran %q", ran)
	}
	audit, err := os.ReadFile(filepath.Join(h.home, ".local/state/sandkeeper/extensions-audit.jsonl"))
	if err != nil || !strings.Contains(string(audit), "inside: rest") {
		t.Errorf("the audit does not hold the output: %v\n%s", err, audit)
	}
	_ = filepath.WalkDir(filepath.Join(h.home, ".local/share"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "inside: ") {
				t.Errorf("%s holds what a hook printed (%v)", path, err)
			}
		}
		return nil
	})
	h.mustRun("backup-all", "--offline", "--dry-run")
	if ran := s.took(); ran != "" {
		t.Errorf("a dry run ran %q", ran)
	}
}

func TestAFailedHookAbortsThatBackupOrIsIgnored(t *testing.T) {
	h, s := hooked(t, "")
	s.fail = "rest"
	code, out, stderr := h.run("backup-all", "--offline")
	if ran := s.took(); code != ExitPartial || ran != "rest, go on" {
		t.Errorf("exit %d, ran %q\n%s\n%s", code, ran, out, stderr)
	}
	for _, want := range []string{"it was not brought to rest, so it was not read", "rest in the sandbox ended with exit status 3", "1 backed up, 1 failed"} {
		if !strings.Contains(out+stderr, want) {
			t.Errorf("it does not say %q:\n%s\n%s", want, out, stderr)
		}
	}
	if strings.Contains(out+stderr, "it went wrong inside") {
		t.Errorf("what the hook printed is shown:\n%s\n%s", out, stderr)
	}
	h, s = hooked(t, "on_failure = \"ignore\"\n")
	s.fail = "rest"
	h.mustRun("backup-all", "--offline")
	if ran := s.took(); ran != "rest, go on" {
		t.Errorf("ran %q", ran)
	}
}

func TestAHookThatFailsAfterwardsIsAWarningAndIsRunAgain(t *testing.T) {
	h, s := hooked(t, "")
	s.fail = "go on"
	code, out, stderr := h.run("backup-all", "--offline")
	if code != ExitOK || !strings.Contains(out+stderr, "the next run tries again") {
		t.Errorf("exit %d\n%s\n%s", code, out, stderr)
	}
	s.took()
	s.fail = ""
	h.mustRun("backup-all", "--offline")
	if ran := s.took(); ran != "go on, rest, go on" {
		t.Errorf("ran %q", ran)
	}
}

// A run that was killed while a sandbox was at rest leaves the intent; the next one lets it go on before it does anything else.
func TestWhatAKilledBackupLeftAtRestGoesOn(t *testing.T) {
	h, s := hooked(t, "")
	killed := killedRun(t, h)
	if _, err := killed.BeginBackup(t.Context(), lifecycle.Reference{ID: "id-alpha", Name: "alpha", Gateway: "gone"}); err != nil {
		t.Fatal(err)
	}
	if err := killed.close(); err != nil { // as the kernel closes the files of a process that was killed
		t.Fatal(err)
	}
	h.mustRun("backup-all", "--offline")
	if ran := s.took(); ran != "go on, rest, go on" {
		t.Errorf("ran %q", ran)
	}
}

// killedRun is the chain of a run on the host that will not come to its end.
func killedRun(t *testing.T, h *madeUpHost) *extensionChain {
	t.Helper()
	a := newApp(nil, &ui.Streams{Env: env.Parse([]string{"HOME=" + h.home})})
	var err error
	if a.settings.file, err = readConfig(a.Env, os.Geteuid(), nil, nil); err != nil {
		t.Fatal(err)
	}
	links, err := a.extensions.links()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := a.extensions.chainOf(links, func(context.Context, lifecycle.Reference, []string) (string, error) { return "", nil })
	if err != nil {
		t.Fatal(err)
	}
	return chain
}
