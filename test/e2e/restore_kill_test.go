package e2e

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
)

// now is the home in a container as it is: kind, mode, owner and content of every entry.
func (e *engine) now(containerName string) map[string]string {
	e.t.Helper()
	return e.within(containerName, e.workspace())
}

// within is a folder of a container as it is: kind, mode, owner and content of every entry.
func (e *engine) within(containerID, folder string) map[string]string {
	e.t.Helper()
	stream, _, err := e.client.CopyFromContainer(e.t.Context(), containerID, folder)
	if err != nil {
		e.t.Fatal(err)
	}
	defer stream.Close()
	found := map[string]string{}
	for r := tar.NewReader(stream); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			e.t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			e.t.Fatal(err)
		}
		base := path.Base(folder)
		trim := func(name string) string { return strings.TrimPrefix(strings.TrimPrefix(name, base), "/") }
		name := strings.TrimSuffix(trim(header.Name), "/")
		found[name] = fmt.Sprintf("%c %o %d:%d %s %x", header.Typeflag, header.Mode&0o7777, header.Uid, header.Gid, trim(header.Linkname), sha256.Sum256(content))
	}
}

// put writes entries into the home of a container.
func (e *engine) put(containerName string, entries ...entry) {
	e.t.Helper()
	e.putInto(containerName, e.workspace(), entries...)
}

// putInto puts entries into a folder of a container.
func (e *engine) putInto(containerName, folder string, entries ...entry) {
	e.t.Helper()
	if err := e.client.CopyToContainer(e.t.Context(), containerName, folder, archive(e.t, entries), container.CopyToContainerOptions{}); err != nil {
		e.t.Fatal(err)
	}
}

// lastBackup is the newest backup of the patient that somebody asked for.
func (p *patient) lastBackup() listedBackup {
	p.t.Helper()
	for _, b := range p.listed() {
		if b.Label != "before-restore" {
			return b
		}
	}
	p.t.Fatal("there is no backup")
	return listedBackup{}
}

// diverge backs the patient up and then changes its home. It returns what the home was like, and what it is like now.
func (p *patient) diverge() (then, now map[string]string) {
	p.t.Helper()
	then = p.engine.now(p.container)
	if out := p.text(p.save()...); out.exit != 0 {
		p.t.Fatalf("backup: exit %d\n%s", out.exit, out.stderr)
	}
	p.worked()
	return then, p.engine.now(p.container)
}

// worked changes the home as an agent does after its backup.
func (p *patient) worked() {
	p.t.Helper()
	p.engine.put(p.container,
		entry{name: "notes/today.md", content: "changed\n", mode: 0o640, uid: 1000}, entry{name: "added", content: "x", mode: 0o644},
		entry{name: "service.env", content: "TOKEN=never-in-a-backup\n", mode: 0o600, uid: 1000},
	)
}

var remedy = regexp.MustCompile(`to put back what was there before, credentials included: sandkeeper (restore .*)`)

// kill -9 of a restore on the engine's way at every stage: what is there afterwards is old or new, or the next run of any command says that it is
// neither and names the command that makes it whole. The container comes back with it.
func TestKillRestoreAtEveryStage(t *testing.T) {
	p := newPatient(t, 24)
	then, now := p.diverge()
	saved := p.lastBackup().ID
	restoreStages := []string{"verifying", "stopping", "saving", "writing", "writing", "starting"}
	seen := map[string]int{}
	for round := 0; round < rounds(6, 36) || seen["half or told so"] == 0 && round < 100; round++ { // on a busy machine a kill may come late
		stage := restoreStages[round%len(restoreStages)]
		run := p.begin("restore", p.name, "--backup", saved, "--yes", "--way", "engine")
		if run.reach(p.name + ": " + stage) {
			if (round+round/len(restoreStages))%2 == 0 {
				time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
			}
			run.signal(syscall.SIGKILL)
		}
		run.end()
		next := p.text("backups", "list")
		content := p.engine.now(p.container)
		switch {
		case cmp.Equal(content, now) && !remedy.MatchString(next.stderr):
			seen["old"]++
		case cmp.Equal(content, then) && !remedy.MatchString(next.stderr):
			seen["new"]++
		default:
			seen["half or told so"]++
			p.heal(next.stderr, now)
		}
		p.engine.goesOn(p.container, thawTime)
		if out := p.text("restore", p.name, "--backup", saved, "--yes"); out.exit != 0 {
			t.Errorf("the next restore exits %d:\n%s", out.exit, out.stderr)
		}
		if diff := cmp.Diff(then, p.engine.now(p.container)); diff != "" {
			t.Errorf("after the next restore (-want +got):\n%s", diff)
		}
		p.tidy()
		p.worked()
		if t.Failed() {
			t.Fatalf("round %d, killed while %s: it had said:\n%s\nthe next run said:\n%s", round, stage, run.text(), next.stderr)
		}
	}
	t.Logf("after the kill the home was: %v", seen)
	if seen["half or told so"] == 0 {
		t.Error("no restore was killed while it wrote")
	}
	p.sound()
}

// heal runs the command that the program named, and wants the old home back.
func (p *patient) heal(said string, now map[string]string) {
	p.t.Helper()
	if state := p.engine.state(p.container); !strings.Contains(said, "the container was left stopped") || state != "exited" {
		p.t.Errorf("the container is %s, and this was said:\n%s", state, said)
	}
	if out := p.text(p.save()...); out.exit == 0 || !strings.Contains(out.stdout+out.stderr, "its home may be half old and half new") {
		p.t.Errorf("a home that is half done was backed up, exit %d:\n%s%s", out.exit, out.stdout, out.stderr)
	}
	line := remedy.FindStringSubmatch(said)
	if line == nil {
		p.t.Fatalf("the home is neither old nor new, and the next run does not say how to make it whole:\n%s", said)
	}
	if out := p.text(strings.Fields(line[1])...); out.exit != 0 {
		p.t.Fatalf("%q exits %d:\n%s", line[1], out.exit, out.stderr)
	}
	if diff := cmp.Diff(now, p.engine.now(p.container)); diff != "" {
		p.t.Errorf("after %q (-want +got):\n%s", line[1], diff)
	}
}

// SIGINT and SIGTERM in a restore: exit 130 and the old home, or 0 and the new one; the container runs, nothing is left.
func TestInterruptRestore(t *testing.T) {
	p := newPatient(t, 24)
	then, now := p.diverge()
	saved := p.lastBackup().ID
	for round, stage := range []string{"verifying", "stopping", "saving", "writing"} {
		run := p.begin("restore", p.name, "--backup", saved, "--yes", "--json")
		reached := run.reach(p.name + ": " + stage)
		run.signal([]syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[round%2])
		out := run.end()
		var document envelope
		if err := json.Unmarshal([]byte(out.stdout), &document); err != nil || document.ExitCode != out.exit {
			t.Errorf("%s: exit %d, document %q, %v", stage, out.exit, out.stdout, err)
		}
		want := map[int]map[string]string{130: now, 0: then}[out.exit]
		if diff := cmp.Diff(want, p.engine.now(p.container)); diff != "" || !reached {
			t.Errorf("%s (reached %v): exit %d, home (-want +got):\n%s\n%s", stage, reached, out.exit, diff, out.stderr)
		}
		p.engine.goesOn(p.container, 0)
		p.tidy()
		if out.exit == 0 {
			t.Logf("%s: the restore was done before it heard the signal", stage)
			p.worked()
		}
	}
	p.sound()
}
