package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// besideLayer is what a restore has left beside the writable layer of a container.
func (e *engine) besideLayer(name string) []string {
	e.t.Helper()
	c, err := e.client.ContainerInspect(e.t.Context(), name)
	if err != nil {
		e.t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(c.GraphDriver.Data["UpperDir"]), ".sandkeeper-*"))
	if err != nil {
		e.t.Fatal(err)
	}
	return left
}

// direct skips a test where a restore does not take the direct way.
func (p *patient) direct(saved string) {
	p.t.Helper()
	out := p.text("restore", p.name, "--backup", saved, "--yes", "--json")
	var document struct {
		Result struct{ Way, WayReason string }
	}
	if err := json.Unmarshal([]byte(out.stdout), &document); err != nil || out.exit != 0 {
		p.t.Fatalf("restore: exit %d, %v\n%s", out.exit, err, out.stderr)
	}
	if document.Result.Way != "direct" {
		lacks(p.t, "SANDKEEPER_REQUIRE_ROOT", "the direct way: "+document.Result.WayReason)
	}
}

// docs/design.md 6: kill -9 of a restore on the direct way, at whatever moment, leaves the old home whole or the new one, and the next run of any command
// leaves nothing else: the container runs, nothing is mounted, nothing lies beside the layer, and what the exchange took away is a backup.
func TestKillRestoreOnTheDirectWay(t *testing.T) {
	p := newPatient(t, 24)
	then, _ := p.diverge()
	saved := p.lastBackup().ID
	p.direct(saved)
	stages := []string{"writing", "stopping", "starting", "saving", "verifying"}
	seen := map[string]int{}
	onOneSide := func() bool { return seen["old"] == 0 || seen["new"] == 0 } // on a busy machine the kills may all come late
	for round := 0; round < rounds(10, 50) || onOneSide() && round < 100; round++ {
		p.worked()
		p.engine.put(p.container, entry{name: "round", content: strings.Repeat("r", round+1), mode: 0o644})
		now, stage := p.engine.now(p.container), stages[round%len(stages)]
		run := p.begin("restore", p.name, "--backup", saved, "--yes")
		if run.reach(p.name + ": " + stage) {
			time.Sleep(time.Duration(rand.IntN(1+round%50*20)) * time.Millisecond)
			run.signal(syscall.SIGKILL)
		}
		run.end()
		next := p.text("backups", "list")
		p.engine.goesOn(p.container, thawTime)
		content := p.engine.now(p.container)
		switch {
		case cmp.Equal(content, now):
			seen["old"]++
		case cmp.Equal(content, then):
			seen["new"]++
			p.keptBefore(now)
		default:
			t.Errorf("the home is neither (-old +is):\n%s", cmp.Diff(now, content))
		}
		if left := p.engine.besideLayer(p.container); len(left) > 0 || len(p.journalled()) > 0 {
			t.Errorf("left: %q, records %v", left, p.journalled())
		}
		if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), "redirect_dir=nofollow") {
			t.Errorf("something is mounted still, or %v", err)
		}
		if t.Failed() {
			t.Fatalf("round %d, killed while %s: it had said:\n%s\nthe next run said:\n%s", round, stage, run.text(), next.stderr)
		}
	}
	t.Logf("after the kill the home was: %v", seen)
	if onOneSide() {
		t.Error("no restore was killed on one side of the exchange")
	}
	p.sound()
}

// keptBefore wants the newest backup that a restore made to hold the home from before.
func (p *patient) keptBefore(want map[string]string) {
	p.t.Helper()
	for _, b := range p.listed() {
		if b.Label != "before-restore" {
			continue
		}
		if out := p.text("restore", p.name, "--backup", b.ID, "--yes"); out.exit != 0 {
			p.t.Errorf("what was there before does not come back, exit %d:\n%s", out.exit, out.stderr)
		}
		if diff := cmp.Diff(want, p.engine.now(p.container)); diff != "" {
			p.t.Errorf("what was kept of the home from before (-want +got):\n%s", diff)
		}
		return
	}
	p.t.Error("nothing was kept of the home from before")
}
