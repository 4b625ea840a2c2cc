package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// hooks makes every backup write "rest" and "go on" into a file of the sandbox.
func (p *patient) hooks() {
	p.t.Helper()
	dir := filepath.Join(p.Home, ".config/sandkeeper")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	write(p.t, filepath.Join(dir, "config.toml"), `[compute]
extensions = ["exec-hooks"]

[compute.extension."exec-hooks"]
before = ["/bin/sh", "-c", "echo rest >> /hooks; echo secret-output"]
after = ["/bin/sh", "-c", "echo go on >> /hooks"]
`)
}

// hooked is what hooks have written so far.
func (p *patient) hooked() string {
	p.t.Helper()
	out, err := exec.CommandContext(p.t.Context(), "docker", "exec", p.container, "/bin/sh", "-c", "while read line; do echo \"$line\"; done </hooks").Output()
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(strings.Split(strings.TrimSpace(string(out)), "\n"), ", ")
}

// A run that is killed between the hooks, while the sandbox is paused, leaves it to the next one to run what lets it go on; and what
// hooks print is in the audit log and nowhere in the store.
func TestAHookThatIsOwedAfterAKillIsRunByTheNextBackup(t *testing.T) {
	p := newPatient(t, 48)
	p.hooks()
	run := p.heldWhileReading(p.save()...)
	run.signal(syscall.SIGKILL)
	run.end()
	p.engine.goesOn(p.container, thawTime)
	killed := p.hooked()
	if !strings.HasSuffix(killed, "rest") {
		t.Errorf("killed in between, hooks have written %q", killed)
	}
	next := p.text(p.save()...)
	if next.exit != 0 {
		t.Fatalf("the next run exits %d:\n%s%s", next.exit, next.stdout, next.stderr)
	}
	if got := p.hooked(); got != killed+", go on, rest, go on" {
		t.Errorf("after the next run, hooks have written %q", got)
	}
	audit, err := os.ReadFile(filepath.Join(p.Home, ".local/state/sandkeeper/extensions-audit.jsonl"))
	if err != nil || !strings.Contains(string(audit), "secret-output") {
		t.Errorf("the audit log does not hold the output: %v\n%s", err, audit)
	}
	if found := exec.CommandContext(t.Context(), "grep", "-rl", "secret-output", p.backups()).Run(); found == nil {
		t.Error("the store holds what a hook printed")
	}
}
