package e2e

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/test/e2e/gateway"
)

// TestPairUpgradeKilledAtEveryStage kills upgrades of pairs with kill -9, and goes on or back: one sandbox, its home byte for byte, and nobody
// has touched a companion.
func TestPairUpgradeKilledAtEveryStage(t *testing.T) {
	chosen := []string{"stopped", "deleting", "creating", "restoring", "starting"}
	if allRounds() {
		chosen = upgradeStages()
	}
	for _, stage := range chosen {
		for _, then := range []string{"--resume", "--rollback"} {
			t.Run(stage+", then "+then, func(t *testing.T) {
				t.Parallel()
				u := (&upgradeHost{version: pairVersion}).begin(t, "running", nil)
				companionsAlone(t, u.engine, "openshell.ai/sandbox-namespace="+u.driver.Namespace)
				u.killRound(stage, then)
			})
		}
	}
}

// pairOnDisk is a pair whose home takes a while to be read and written.
func pairOnDisk(t *testing.T) (h *recreateHost, workload string) {
	t.Helper()
	h = newRecreateHost(t, pairVersion)
	companionsAlone(t, h.engine, "openshell.ai/sandbox-namespace="+h.driver.Namespace)
	s, _ := h.saved()
	workload = h.workload(s)
	h.engine.putInto(workload, "/sandbox", entry{name: "noise", content: noise(16), mode: 0o600, uid: 998})
	return h, workload
}

// TestPairBackupKilledAtEveryStage kills backups of a pair, through the gateway and without: the workload goes on by itself, its sandbox is
// Ready, what can be seen is whole, and the next run saves it.
func TestPairBackupKilledAtEveryStage(t *testing.T) {
	h, workload := pairOnDisk(t)
	for round := range rounds(10, 60) {
		stage, args := stages[round%len(stages)], []string{"backup-all", "--only", "alpha"}
		if round/len(stages)%2 == 1 {
			args = append(args, "--offline")
		}
		h.engine.putInto(workload, "/sandbox", entry{name: "round", content: strings.Repeat("x", round+1), mode: 0o600, uid: 998})
		h.tell()
		run := launch(t, h.env, append(args, "--backup-dir", h.root)...)
		if run.reach("alpha: " + stage) {
			time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
			run.signal(syscall.SIGKILL)
		}
		run.end()
		h.engine.goesOn(workload, thawTime)
		if p := h.sandkeeper(args...); p.exit != 0 || !strings.Contains(p.stdout, "1 backed up") {
			t.Errorf("the next run exits %d\n%s\n%s", p.exit, p.stdout, p.stderr)
		}
		h.reaches("alpha", gateway.Ready) // once its gateway has looked again: a pause shows as Error
		if p := h.sandkeeper("backups", "verify", "--read-data"); p.exit != 0 {
			t.Errorf("backups verify exits %d\n%s\n%s", p.exit, p.stdout, p.stderr)
		}
		if t.Failed() {
			t.Fatalf("round %d, killed while %s: it had said:\n%s", round, stage, run.text())
		}
	}
}

var pairRemedy = regexp.MustCompile(`: sandkeeper (restore alpha .*)`)

// TestPairRestoreKilledAtEveryStage kills restores into a pair that its gateway has stopped: old, new, or the next run says how to make it
// whole; and its gateway starts it with the home of the backup.
func TestPairRestoreKilledAtEveryStage(t *testing.T) {
	h, workload := pairOnDisk(t)
	if p := h.sandkeeper("backup-all", "--only", "alpha"); p.exit != 0 {
		t.Fatalf("backup-all: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
	then := h.engine.now(workload)
	if p := h.sandkeeper("restore", "alpha", "--yes"); p.exit != 0 {
		t.Errorf("into a pair that runs: exit %d\n%s", p.exit, p.stderr)
	}
	h.reaches("alpha", gateway.Ready)
	_, err := h.driver.SetPhase(t.Context(), "alpha", gateway.Stopped)
	h.must(err)
	saved := h.newestBackup()
	kinds, seen := []string{"verifying", "saving", "writing", "writing", "comparing"}, map[string]int{}
	for round := range rounds(10, 60) {
		stage := kinds[round%len(kinds)]
		h.engine.putInto(workload, "/sandbox", entry{name: "notes/today.md", content: "changed\n", mode: 0o640, uid: 998}, entry{name: "added", content: "x", mode: 0o644})
		now := h.engine.now(workload)
		h.tell()
		run := launch(t, h.env, "restore", "alpha", "--backup", saved, "--yes", "--way", "engine", "--backup-dir", h.root)
		if run.reach("alpha: " + stage) {
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
			run.signal(syscall.SIGKILL)
		}
		run.end()
		seen[h.after(workload, then, now)]++
		if p := h.sandkeeper("restore", "alpha", "--backup", saved, "--yes"); p.exit != 0 {
			t.Errorf("the next restore exits %d\n%s\n%s", p.exit, p.stdout, p.stderr)
		}
		if diff := cmp.Diff(then, h.engine.now(workload)); diff != "" || h.engine.state(workload) != "exited" {
			t.Errorf("it is %s, its home (-want +got):\n%s", h.engine.state(workload), diff)
		}
		if t.Failed() {
			t.Fatalf("round %d, killed while %s: it had said:\n%s", round, stage, run.text())
		}
	}
	t.Logf("after the kill the home was: %v", seen)
	_, err = h.driver.SetPhase(t.Context(), "alpha", gateway.Ready)
	h.must(err)
	h.reaches("alpha", gateway.Ready)
	if diff := cmp.Diff(then, h.engine.now(workload)); diff != "" {
		t.Errorf("started again (-want +got):\n%s", diff)
	}
}

// after says what a killed restore has left. What is neither old nor new has a command that makes it old.
func (h *recreateHost) after(workload string, then, now map[string]string) string {
	h.t.Helper()
	next := h.sandkeeper("backups", "list")
	content, line := h.engine.now(workload), pairRemedy.FindStringSubmatch(next.stderr)
	switch {
	case line == nil && cmp.Equal(content, now):
		return "old"
	case line == nil && cmp.Equal(content, then):
		return "new"
	case line == nil:
		h.t.Fatalf("the home is neither old nor new, and nothing says how to make it whole:\n%s\n%s", next.stdout, next.stderr)
	}
	if p := h.sandkeeper(strings.Fields(line[1])...); p.exit != 0 {
		h.t.Errorf("%q exits %d\n%s\n%s", line[1], p.exit, p.stdout, p.stderr)
	}
	if diff := cmp.Diff(now, h.engine.now(workload)); diff != "" {
		h.t.Errorf("after %q (-want +got):\n%s", line[1], diff)
	}
	return "half, and told so"
}

// newestBackup is the id of the newest backup of alpha that somebody asked for.
func (h *recreateHost) newestBackup() string {
	h.t.Helper()
	var listing struct {
		Result struct{ Backups []listedBackup }
	}
	h.document(&listing, "backups", "list", "alpha")
	for _, b := range listing.Result.Backups {
		if b.Label != "before-restore" {
			return b.ID
		}
	}
	h.t.Fatal("there is no backup")
	return ""
}
