package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// only is the part of a home below some names.
func only(home map[string]string, beginnings ...string) map[string]string {
	part := map[string]string{}
	for name, fact := range home {
		for _, beginning := range beginnings {
			if strings.HasPrefix(name, beginning) {
				part[name] = fact
			}
		}
	}
	return part
}

// A restore brings back content, owners, modes, hard links and links out of the sandbox, into the same sandbox or another one,
// running or stopped; what a link points at is never written to.
func TestRestoreIntoSameAndOther(t *testing.T) {
	p := newPatient(t, 1)
	then, now := p.diverge()
	if links := only(then, "away", "dangling", "bin/same"); len(links) != 3 || !strings.HasPrefix(links["away"], "2 ") || !strings.HasPrefix(links["bin/same"], "1 ") {
		t.Fatalf("the home lacks the links that this test is about: %v", links)
	}
	stopped := "still" + p.name
	home := p.make(stopped, nil, []entry{{name: "other", content: "x", mode: 0o600}, {name: "notes", link: "/tmp"}})
	for _, target := range []struct{ name, container, state string }{{p.name, p.container, "running"}, {stopped, home, "created"}} {
		dry := p.text("restore", p.name, "--to", target.name, "--dry-run")
		before := p.engine.now(target.container)
		if dry.exit != 0 || !strings.Contains(dry.stdout, "Nothing was changed.") || !cmp.Equal(before, p.engine.now(target.container)) {
			t.Errorf("%s: dry run: exit %d\n%s%s", target.name, dry.exit, dry.stdout, dry.stderr)
		}
		if asked := p.text("restore", p.name, "--to", target.name); asked.exit != 2 || !strings.Contains(asked.stderr, "--yes") || !cmp.Equal(before, p.engine.now(target.container)) {
			t.Errorf("%s: without consent: exit %d\n%s", target.name, asked.exit, asked.stderr)
		}
		out := p.text("restore", p.name, "--to", target.name, "--yes")
		if out.exit != 0 || !strings.Contains(out.stdout, "read back and compared") || !strings.Contains(out.stdout, "is kept as backup") {
			t.Errorf("%s: exit %d\n%s%s", target.name, out.exit, out.stdout, out.stderr)
		}
		got := p.engine.now(target.container)
		if diff := cmp.Diff(then, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target.name, diff)
		}
		if state := p.engine.state(target.container); state != target.state {
			t.Errorf("%s is %s, it was %s", target.name, state, target.state)
		}
		if outside := p.files(target.container, "/tmp"); len(outside) > 1 {
			t.Errorf("%s: something was written through a link: %v", target.name, outside)
		}
		p.tidy()
	}
	if _, was := now["service.env"]; !was {
		t.Fatal("the home lacks the file that only the copy of the old home has")
	}
}

// files are the names in a folder of a container.
func (p *patient) files(container, folder string) []string {
	p.t.Helper()
	stream, _, err := p.engine.client.CopyFromContainer(p.t.Context(), container, folder)
	if err != nil {
		p.t.Fatal(err)
	}
	defer stream.Close()
	return names(p.t, stream)
}

// --scope state brings back what is the agent's, and leaves the rest of the home alone.
func TestRestoreScopeState(t *testing.T) {
	p := newPatient(t, 1)
	p.engine.put(p.container, entry{name: ".openclaw", dir: true, mode: 0o700, uid: 1000}, entry{name: ".openclaw/workspace", dir: true, mode: 0o750, uid: 1000},
		entry{name: ".openclaw/workspace/plan.md", content: "then\n", mode: 0o640, uid: 1000}, entry{name: ".openclaw/plugins", content: "p", mode: 0o644})
	then, _ := p.diverge()
	p.engine.put(p.container, entry{name: ".openclaw/workspace/plan.md", content: "now\n", mode: 0o600, uid: 1000}, entry{name: ".openclaw/workspace/new.md", content: "n", mode: 0o600},
		entry{name: ".openclaw/plugins", content: "q", mode: 0o644})
	now := p.engine.now(p.container)
	if out := p.text("restore", p.name, "--scope", "state", "--yes"); out.exit != 0 {
		t.Fatalf("exit %d\n%s", out.exit, out.stderr)
	}
	got := p.engine.now(p.container)
	if diff := cmp.Diff(only(then, ".openclaw/workspace"), only(got, ".openclaw/workspace")); diff != "" {
		t.Errorf("the state (-want +got):\n%s", diff)
	}
	for name := range got {
		if !strings.HasPrefix(name, ".openclaw/workspace") && got[name] != now[name] {
			t.Errorf("%s is no state, and was changed", name)
		}
	}
	if len(got) != len(now)-1 {
		t.Errorf("%d entries, want all but new.md of %d", len(got), len(now))
	}
}

// A damaged backup is refused, exit 12, before the sandbox is touched.
func TestRestoreRefusesDamage(t *testing.T) {
	p := newPatient(t, 1)
	_, now := p.diverge()
	archive := filepath.Join(p.lastBackup().Path, "archive.tar.zst")
	content, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(content); at += len(content)/4 + 1 {
		content[at] ^= 4
		if err := os.WriteFile(archive, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if out := p.text("restore", p.name, "--yes"); out.exit != 12 || !strings.Contains(out.stderr, "archive.tar.zst") || strings.Contains(out.stderr, "stopping") {
			t.Errorf("bit flipped at %d: exit %d\n%s", at, out.exit, out.stderr)
		}
		content[at] ^= 4
	}
	if diff := cmp.Diff(now, p.engine.now(p.container)); diff != "" {
		t.Errorf("the home was touched:\n%s", diff)
	}
	p.engine.goesOn(p.container, 0)
	p.tidy()
	if out := p.text("restore", "nobody"+fmt.Sprint(p.Port)); out.exit != 10 {
		t.Errorf("no such backup: exit %d\n%s", out.exit, out.stderr)
	}
}
