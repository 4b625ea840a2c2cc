package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"sandkeeper/test/e2e/gateway"
)

// patient is one sandbox with a running container on which faults are tried.
type patient struct {
	*host
	engine    *engine
	name      string
	container string
}

// newPatient has a home of this many MB that does not compress, so that every stage takes its time.
func newPatient(t *testing.T, megabytes int) *patient {
	t.Helper()
	p := &patient{host: newHost(t, "0.0.110"), engine: newEngine(t)}
	p.name = fmt.Sprintf("hurt%d", p.Port)
	p.container = p.add(p.name, append(home(), entry{name: "noise", content: noise(megabytes), mode: 0o600, uid: 1000}))
	return p
}

// add makes one more sandbox, with a running container, and returns the container's name.
func (p *patient) add(name string, home []entry) string {
	p.t.Helper()
	container := p.make(name, []string{"/bin/sh", "-c", "trap 'exit 0' TERM; while :; do /bin/sleep 600 & wait; done"}, home)
	p.engine.start(container)
	return container
}

// make is engine.sandbox with a command of its own: one that ends when it is told to, so that a restore need not wait for it.
func (p *patient) make(name string, command []string, home []entry) string {
	p.t.Helper()
	made := p.makeOn(name, command, container.HostConfig{NetworkMode: "none"})
	p.engine.put(made, home...)
	return made
}

// makeOn makes a container of a sandbox as host says, with nothing in its home.
func (p *patient) makeOn(name string, command []string, host container.HostConfig) string {
	p.t.Helper()
	id, reference := gateway.NewID(), fmt.Sprintf("e2e%d/sandbox-from:1", p.Port)
	p.engine.image(reference)
	made := "openshell-default--" + name + "-" + id
	p.engine.create(made, container.Config{Image: reference, Cmd: command, Labels: map[string]string{
		"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-id": id, "openshell.ai/sandbox-name": name,
		"openshell.ai/sandbox-namespace": "default", "openshell.ai/sandbox-workspace": "default",
	}}, host)
	return made
}

// noise is content that does not compress.
func noise(megabytes int) string {
	b := make([]byte, megabytes<<20)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}

// backups is the store, save the arguments of a run that backs this sandbox up without a gateway.
func (p *patient) backups() string { return filepath.Join(p.Home, ".local/share/sandkeeper/backups") }

func (p *patient) save(more ...string) []string {
	return append([]string{"backup-all", "--offline", "--only", p.name}, more...)
}

// litter is what a run left in the store that is no backup.
func (p *patient) litter() []string {
	var found []string
	_ = filepath.WalkDir(p.backups(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && (strings.HasPrefix(d.Name(), ".tmp-") || strings.HasPrefix(d.Name(), ".before-restore-")) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// journalled is what the journals of paused containers and of restores hold.
func (p *patient) journalled() []string {
	paused, _ := filepath.Glob(filepath.Join(p.Home, ".local/state/sandkeeper/paused/*.json"))
	restoring, _ := filepath.Glob(filepath.Join(p.Home, ".local/state/sandkeeper/restoring/*.json"))
	return append(paused, restoring...)
}

// archive is one backup as `backups list --json` shows it.
type listedBackup struct{ Sandbox, ID, Path, Damage, Label string }

func (p *patient) listed() []listedBackup {
	p.t.Helper()
	var document struct {
		Result struct{ Backups []listedBackup }
	}
	out := p.text("backups", "list", "--json")
	if err := json.Unmarshal([]byte(out.stdout), &document); err != nil || out.exit != 0 {
		p.t.Fatalf("backups list: exit %d, %v\n%s%s", out.exit, err, out.stdout, out.stderr)
	}
	return document.Result.Backups
}

// sound asserts that every backup that can be seen is whole, to the last byte.
func (p *patient) sound() {
	p.t.Helper()
	listed := p.listed()
	for _, b := range listed {
		if b.Damage != "" {
			p.t.Errorf("a half backup is visible: %s: %s", b.ID, b.Damage)
		}
	}
	if out := p.text("backups", "verify", "--read-data"); out.exit != 0 && (out.exit != 10 || len(listed) > 0) {
		p.t.Errorf("backups verify exits %d:\n%s%s", out.exit, out.stdout, out.stderr)
	}
}

// tidy asserts that nothing of an earlier run is left: no process, no journal entry, no staging folder.
func (p *patient) tidy() {
	p.t.Helper()
	if _, gone := waitFor(thawTime, func() bool { return len(p.guards()) == 0 }); !gone {
		p.t.Errorf("guard processes live on: %v", p.guards())
	}
	if left := p.journalled(); len(left) > 0 {
		p.t.Errorf("the journals still hold %v", left)
	}
	if left := p.litter(); len(left) > 0 {
		p.t.Errorf("litter: %v", left)
	}
}

// stages are those that a backup of a running container passes through.
var stages = []string{"pausing", "reading", "committing", "verifying"}

// thawTime is how soon a container must go on after its run was killed: the promise is a second, on a machine that has time for it; one
// that is not freed by the guard stays paused for good.
const thawTime = 30 * time.Second

// docs/design.md 6: kill -9 at every stage leaves no half backup, the sandbox running within a second, and nothing
// that the next run does not sweep.
func TestKillAtEveryStage(t *testing.T) {
	p := newPatient(t, 24)
	struck, worst := map[string]int{}, time.Duration(0)
	for round := range rounds(8, 50) {
		stage := stages[round%len(stages)]
		run, reached := p.at(stage, p.save("--label", fmt.Sprint(round), "--reread")...) // an unchanged home is not read, and takes no time
		if reached {
			time.Sleep(time.Duration(rand.IntN(20*(round%4)+1)) * time.Millisecond)
			run.signal(syscall.SIGKILL)
		}
		killed := time.Now()
		run.end()
		if run.killed() {
			struck[stage]++
		}
		p.engine.goesOn(p.container, thawTime)
		worst = max(worst, time.Since(killed))
		p.sound()
		if next := p.text(p.save()...); next.exit != 0 {
			t.Fatalf("round %d, killed while %s: the next run exits %d:\n%s%s", round, stage, next.exit, next.stdout, next.stderr)
		}
		p.tidy()
		if t.Failed() {
			t.Fatalf("round %d, killed while %s; it had said:\n%s", round, stage, run.text())
		}
	}
	t.Logf("killed at %v; the container went on after at most %s", struck, worst.Round(time.Millisecond))
	if struck["reading"] == 0 {
		t.Errorf("no run was killed while it read: %v", struck)
	}
	p.sound()
}

// at begins a backup that has said a stage. At "reading" it stands still; at the others it may be further by now.
func (p *patient) at(stage string, args ...string) (run *process, reached bool) {
	p.t.Helper()
	if stage == "reading" {
		return p.heldWhileReading(args...), true
	}
	run = p.begin(args...)
	return run, run.reach(p.name + ": " + stage)
}

// The guard may die as well (a power cut, the OOM killer): then the next run of any command unpauses first, and says so.
func TestKillRunAndGuard(t *testing.T) {
	p := newPatient(t, 48)
	for _, command := range [][]string{{"backups", "list"}, {"preflight"}, p.save()} {
		run := p.heldWhileReading(p.save()...) // for as long as it takes to find its guard
		for _, pid := range p.guards() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		run.signal(syscall.SIGKILL)
		run.end()
		if state := p.engine.state(p.container); state != "paused" || len(p.journalled()) != 1 {
			t.Fatalf("with run and guard dead the container is %s, the journals hold %v; this test needs it paused", state, p.journalled())
		}
		next := p.text(command...)
		if !strings.Contains(next.stderr, "unpaused container "+p.container+", which a run that was killed had left paused for ") {
			t.Errorf("%q does not say what it unpaused:\n%s", command, next.stderr)
		}
		p.engine.goesOn(p.container, 0)
		if left := p.journalled(); len(left) > 0 {
			t.Errorf("after %q the journals hold %v", command, left)
		}
	}
	if next := p.text(p.save()...); next.exit != 0 {
		t.Errorf("the next run exits %d:\n%s", next.exit, next.stderr)
	}
	p.tidy()
	p.sound()
}

// SIGINT and SIGTERM at every stage: exit 130, the sandbox goes on before the program has ended, nothing half done, no litter.
func TestInterruptAtEveryStage(t *testing.T) {
	p, inTime := newPatient(t, 24), 0
	for round := range rounds(8, 40) {
		stage, signal := stages[round/2%len(stages)], []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[round%2]
		run, reached := p.at(stage, p.save("--json")...)
		run.signal(signal)
		run.signal(syscall.SIGCONT)
		out := run.end()
		if state := p.engine.state(p.container); state != "running" {
			t.Errorf("%v while %s: the container is %s after the program's end", signal, stage, state)
		}
		p.tidy()
		p.sound()
		var document envelope
		if err := json.Unmarshal([]byte(out.stdout), &document); err != nil {
			t.Fatalf("%v while %s: no JSON document: %v\n%s%s", signal, stage, err, out.stdout, out.stderr)
		}
		late := strings.Contains(out.stderr, p.name+": committing\n") // the run may be past the point at which it looks
		if !late {
			inTime++
		}
		interrupted := out.exit == 130 && document.ExitCode == 130 && document.Error != nil && document.Error.Kind == "interrupted"
		if !interrupted && !(late && out.exit == 0) || !reached {
			t.Errorf("%v while %s (reached: %v): exit %d, error %+v\n%s", signal, stage, reached, out.exit, document.Error, out.stderr)
		}
		if t.Failed() {
			return
		}
	}
	if inTime == 0 {
		t.Error("no run was interrupted before it had read the home")
	}
}
