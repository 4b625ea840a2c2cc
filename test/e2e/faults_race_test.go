package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// While one run holds the store, a second one ends at once and says who holds it; readers are never blocked; and a holder that was
// killed holds nothing.
func TestSecondRunIsToldWhoHoldsTheStore(t *testing.T) {
	p := newPatient(t, 48)
	if first := p.text(p.save()...); first.exit != 0 {
		t.Fatalf("exit %d\n%s", first.exit, first.stderr)
	}
	saved := p.lastBackup()
	p.engine.put(p.container, entry{name: "more", content: reversed(noise(48)), mode: 0o600})
	holder := p.heldWhileReading(p.save()...) // it holds the store for as long as this takes
	for _, command := range [][]string{p.save(), {"restore", p.name, "--yes"}, {"backups", "prune", "--keep", "1", "--yes"}} {
		start := time.Now()
		second := p.text(append(command, "--json")...)
		says := regexp.MustCompile(fmt.Sprintf(`locked by process %d on .* for \d+s`, holder.cmd.Process.Pid))
		if second.exit != 11 || !says.MatchString(second.stdout) || !strings.Contains(second.stdout, `"kind": "locked"`) || time.Since(start) > time.Minute {
			t.Errorf("%q: exit %d after %s:\n%s", command, second.exit, time.Since(start), second.stdout)
		}
	}
	var readers sync.WaitGroup
	for i := range 20 {
		command := [][]string{{"backups", "list"}, {"backups", "verify", saved.ID}, {"backups", "show", p.name}}[i%3]
		readers.Go(func() {
			if out := p.text(command...); out.exit != 0 {
				t.Errorf("reader %q: exit %d\n%s%s", command, out.exit, out.stdout, out.stderr)
			}
		})
	}
	readers.Wait()
	holder.signal(syscall.SIGKILL)
	holder.end()
	if next := p.text(p.save()...); next.exit != 0 {
		t.Errorf("after the holder was killed: exit %d\n%s", next.exit, next.stderr)
	}
	p.engine.goesOn(p.container, thawTime)
	p.tidy()
	p.sound()
}

// Two runs that start at the same moment: one backs up, the other does too or says that it is locked out; every backup is whole.
func TestRacingRunsLeaveWholeBackups(t *testing.T) {
	p := newPatient(t, 1)
	exits := map[int]int{}
	for round := range rounds(10, 100) {
		p.engine.put(p.container, entry{name: "round", content: fmt.Sprint(round), mode: 0o600})
		one, two := p.begin(p.save()...), p.begin(p.save()...)
		outs := []printed{one.end(), two.end()}
		saved := 0
		for _, out := range outs {
			exits[out.exit]++
			switch {
			case out.exit == 0:
				saved++
			case out.exit != 11:
				t.Fatalf("round %d: exit %d\n%s%s", round, out.exit, out.stdout, out.stderr)
			}
		}
		if saved == 0 {
			t.Fatalf("round %d: both were locked out", round)
		}
		p.engine.goesOn(p.container, 0)
	}
	t.Logf("exits: %v", exits)
	p.tidy()
	p.sound()
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}
