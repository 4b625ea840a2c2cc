package openshell

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func play(t *testing.T, s Script, stdin string, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	var out, err bytes.Buffer
	exit = Main(args, []string{"OPENSHELL_STANDIN=" + written(t, s), "NO_GRAPHICS=1"}, strings.NewReader(stdin), &out, &err)
	return out.String(), err.String(), exit
}

func one(sandboxes ...Sandbox) Script {
	return Script{
		Version: "0.0.110", Sandboxes: sandboxes,
		Gateways: []Gateway{{Name: "nemoclaw", Endpoint: "http://127.0.0.1:17670", Active: true}},
	}
}

func TestVersion(t *testing.T) {
	stdout, _, exit := play(t, one(), "", "--version")
	if stdout != "openshell 0.0.110\n" || exit != 0 {
		t.Errorf("got %q, exit %d", stdout, exit)
	}
}

func TestExecRunsInTheSandboxesFolder(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "sandbox", "notes"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "sandbox", "notes", "a.txt"), []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := one(Sandbox{Name: "alpha", Root: root})

	stdout, stderr, exit := play(t, s, "", "sandbox", "exec", "-g", "nemoclaw", "-n", "alpha", "--", "tar", "-cf", "-", "-C", "/sandbox", ".")
	if exit != 0 || !strings.Contains(stdout, "kept") || stderr != "" {
		t.Errorf("tar: exit %d, %d bytes, stderr %q", exit, len(stdout), stderr)
	}
	if stdout, _, _ := play(t, s, "typed", "sandbox", "exec", "-n", "alpha", "--", "cat"); stdout != "typed" {
		t.Errorf("stdin reached the command as %q", stdout)
	}
	if _, _, exit := play(t, s, "", "sandbox", "exec", "-n", "alpha", "--", "sh", "-c", "test -d /sandbox/notes && exit 7"); exit != 7 {
		t.Errorf("exit status %d, want the command's own 7", exit)
	}
}

func TestAnswers(t *testing.T) {
	s := one(Sandbox{Name: "alpha"})
	s.CallLog = filepath.Join(t.TempDir(), "calls")
	s.Answers = []Answer{{Args: []string{"sandbox", "list"}, Stderr: "Error: busy\n", Exit: 1, Times: 1}}

	if _, stderr, exit := play(t, s, "", "sandbox", "list", "--names"); stderr != "Error: busy\n" || exit != 1 {
		t.Errorf("first call: %q, exit %d", stderr, exit)
	}
	if stdout, _, exit := play(t, s, "", "sandbox", "list", "--names"); stdout != "alpha\n" || exit != 0 {
		t.Errorf("second call: %q, exit %d", stdout, exit)
	}
	calls, err := os.ReadFile(s.CallLog)
	if err != nil || string(calls) != "sandbox list --names\nsandbox list --names\n" {
		t.Errorf("call log %q, %v", calls, err)
	}
}

func TestDelay(t *testing.T) {
	s := one()
	s.Answers = []Answer{{Args: []string{"status"}, Delay: "30ms"}}
	start := time.Now()
	stdout, _, _ := play(t, s, "", "status")
	if time.Since(start) < 30*time.Millisecond || !strings.Contains(stdout, "Connected") {
		t.Errorf("after %s: %q", time.Since(start), stdout)
	}
}

func TestPages(t *testing.T) {
	var many []Sandbox
	for i := range 230 {
		many = append(many, Sandbox{Name: "s" + strings.Repeat("x", i%7), Created: time.Unix(int64(i), 0)})
	}
	for args, want := range map[string]int{
		"sandbox list --names": 100, "sandbox list --names --limit 1000": 230, "sandbox list --names --limit 100 --offset 200": 30,
	} {
		stdout, _, _ := play(t, one(many...), "", strings.Fields(args)...)
		if got := strings.Count(stdout, "\n"); got != want {
			t.Errorf("%s: %d rows, want %d", args, got, want)
		}
	}
}

func TestWorkspaces(t *testing.T) {
	s := one(Sandbox{Name: "alpha"}, Sandbox{Name: "alpha", Workspace: "team2"})
	s.Version = "0.0.110"
	for args, want := range map[string]string{
		"sandbox list --names": "alpha\n", "sandbox list --names --workspace team2": "alpha\n",
		"sandbox list --names --all-workspaces": "default/alpha\nteam2/alpha\n",
	} {
		if stdout, stderr, _ := play(t, s, "", strings.Fields(args)...); stdout != want {
			t.Errorf("%s: %q, %q", args, stdout, stderr)
		}
	}
	if stdout, _, _ := play(t, s, "", "sandbox", "list", "--all-workspaces"); !strings.Contains(stdout, "WORKSPACE") || !strings.Contains(stdout, "team2      ") {
		t.Errorf("table: %q", stdout)
	}
}

func TestNewestGeneration(t *testing.T) {
	s := one(Sandbox{Name: "alpha"}, Sandbox{Name: "beta"})
	s.Version = "0.1.4"
	stdout, _, _ := play(t, s, "", "sandbox", "list", "-o", "json", "--page-size", "1")
	if !strings.Contains(stdout, `"next_page_token": "1"`) {
		t.Errorf("no page token in %s", stdout)
	}
	s.Gateways[0].Version = "0.0.110"
	if _, stderr, exit := play(t, s, "", "sandbox", "list"); exit != 1 || !strings.Contains(stderr, "not found") {
		t.Errorf("0.1.4 against 0.0.110: exit %d, %q", exit, stderr)
	}
}

func TestWithoutScript(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if exit := Main([]string{"status"}, nil, strings.NewReader(""), &stdout, &stderr); exit != 70 {
		t.Errorf("exit %d", exit)
	}
}
