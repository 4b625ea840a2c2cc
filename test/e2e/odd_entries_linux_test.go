package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sandkeeper/internal/backuptest"
)

// homeOnHost is the home of a running container as root of this host sees it.
func (e *engine) homeOnHost(container string) string {
	e.t.Helper()
	c, err := e.client.ContainerInspect(e.t.Context(), container)
	must(e.t, err)
	dir := fmt.Sprintf("/proc/%d/root%s", c.State.Pid, e.workspace())
	if _, err := os.Stat(dir); err != nil || os.Geteuid() != 0 {
		lacks(e.t, "SANDKEEPER_REQUIRE_ROOT", fmt.Sprintf("root on the engine's own host (%v)", err))
	}
	return dir
}

// odd is what a run says of one sandbox whose home is odd.
type odd struct {
	Backup struct {
		ID, Path, Way string
		Inexact       []struct {
			Kind    string
			Entries *int
		}
	}
	Omitted  []struct{ Path, Kind, Reason string }
	Warnings []string
}

// saveOdd backs a sandbox up on a way.
func (p *patient) saveOdd(way string, more ...string) odd {
	p.t.Helper()
	out := p.text(append(p.save("--json", "--reread", "--way", way), more...)...)
	var document struct{ Result struct{ Sandboxes []odd } }
	if err := json.Unmarshal([]byte(out.stdout), &document); err != nil || out.exit != 0 || len(document.Result.Sandboxes) != 1 {
		p.t.Fatalf("exit %d, %v\n%s%s", out.exit, err, out.stdout, out.stderr)
	}
	return document.Result.Sandboxes[0]
}

// omits are the paths that a run left out, each with its kind.
func (o odd) omits() map[string]string {
	omitted := map[string]string{}
	for _, x := range o.Omitted {
		omitted[x.Path] = x.Kind
	}
	return omitted
}

// Promise: everything odd that a home can have comes back byte for byte on the direct way, with mode, owner, time, attributes, holes and second
// names; what the engine's way cannot carry is named, or counted by kind.
func TestOddEntriesOnBothWays(t *testing.T) {
	p := newPatient(t, 0)
	dir := p.engine.homeOnHost(p.container)
	backuptest.MakeOddTree(t, dir)
	for name, mode := range map[string]uint32{"socket": unix.S_IFSOCK | 0o640, "pipe": unix.S_IFIFO | 0o604} {
		must(t, unix.Mknod(filepath.Join(dir, name), mode, 0))
	}
	then := backuptest.TreeFacts(t, dir)
	for way, holds := range map[string]func(*testing.T, odd, map[string]string, map[string]string){"direct": holdsAll, "engine": holdsWhatAnEngineCarries} {
		t.Run(way, func(t *testing.T) {
			p.t, p.engine.t = t, t
			asked := strings.Replace(way, "direct", "auto", 1)
			saved := p.saveOdd(asked)
			if saved.Backup.Way != way {
				t.Fatalf("read on the way %q", saved.Backup.Way)
			}
			into := "into-" + way + p.name
			target := p.add(into, []entry{{name: "other", content: "x", mode: 0o600}})
			out := p.text("restore", p.name, "--backup", saved.Backup.ID, "--to", into, "--way", asked, "--yes")
			if out.exit != 0 || strings.Contains(out.stdout, "1 time(s) before 1970, which are 1970-01-01 now") != (way == "engine") {
				t.Fatalf("restore: exit %d\n%s%s", out.exit, out.stdout, out.stderr)
			}
			holds(t, saved, maps.Clone(then), backuptest.TreeFacts(t, p.engine.homeOnHost(target)))
			said := p.text("backups", "show", p.name, saved.Backup.ID).stdout
			const hidden = "times of entries came in whole seconds; extended attributes, access lists, holes, sockets and paths over 4096 bytes are not shown there"
			if strings.Contains(said, hidden) != (way == "engine") {
				t.Errorf("it says:\n%s", said)
			}
		})
	}
}

// Promise: an engine that is given a backup which has everything says what of it it could not write: exactly what is not there afterwards.
func TestOddEntriesFromTheDirectWayThroughAnEngine(t *testing.T) {
	p := newPatient(t, 0)
	dir := p.engine.homeOnHost(p.container)
	backuptest.MakeOddTree(t, dir)
	long, _ := filepath.Glob(dir + "/deep-*")
	must(t, os.RemoveAll(long[0]))
	then := backuptest.TreeFacts(t, dir)
	saved := p.saveOdd("auto")
	into := "into-" + p.name
	target := p.add(into, []entry{{name: "other", content: "x", mode: 0o600}})
	out := p.text("restore", p.name, "--backup", saved.Backup.ID, "--to", into, "--way", "engine", "--yes")
	for _, said := range []string{"4 file(s) with holes,", "1 time(s) before 1970,", "1 symbolic link(s) with the same file as another,"} {
		if out.exit != 0 || !strings.Contains(out.stdout, "not as in the backup, for the container engine cannot write it: "+said) {
			t.Errorf("exit %d, not said: %s\n%s%s", out.exit, said, out.stdout, out.stderr)
		}
	}
	now := backuptest.TreeFacts(t, p.engine.homeOnHost(target))
	for _, home := range []map[string]string{then, now} {
		for name, fact := range home {
			home[name] = asAnEngineWrites(fact)
		}
	}
	if diff := cmp.Diff(then, now); diff != "" {
		t.Errorf("the home (-then +now):\n%s", diff)
	}
}

// asAnEngineWrites is a fact of an entry without what an engine does not write of a backup that has everything.
func asAnEngineWrites(fact string) string {
	fact = regexp.MustCompile(`^(\S+ \S+) -\d+\.\d+`).ReplaceAllString(fact, "$1 0.000000000")
	fact = regexp.MustCompile(`( \d+-\d+)+$`).ReplaceAllString(fact, "") // where it has data
	if strings.HasPrefix(fact, "120") {                                  // that two symbolic links are one
		fact = regexp.MustCompile(` same as \S+`).ReplaceAllString(fact, "")
	}
	return fact
}

// holdsAll wants a home to be what it was, and what no archive holds to be named.
func holdsAll(t *testing.T, saved odd, then, now map[string]string) {
	t.Helper()
	if diff := cmp.Diff(map[string]string{"pipe": "special", "socket": "special"}, saved.omits()); diff != "" || len(saved.Backup.Inexact) > 0 {
		t.Errorf("not in it: %+v, named (-want +got):\n%s", saved.Backup.Inexact, diff)
	}
	delete(then, "pipe")
	delete(then, "socket")
	if diff := cmp.Diff(then, now); diff != "" {
		t.Errorf("the home (-then +now):\n%s", diff)
	}
}

// holdsWhatAnEngineCarries wants a home to be what it was but for times below a second, attributes, holes, sockets and paths over 4,096 bytes,
// which the run has counted, and what it has named.
func holdsWhatAnEngineCarries(t *testing.T, saved odd, then, now map[string]string) {
	t.Helper()
	if diff := cmp.Diff(map[string]string{"pipe": "special", "names/l2": "other"}, saved.omits()); diff != "" {
		t.Errorf("named (-want +got):\n%s", diff)
	}
	for name, fact := range then {
		_, there := now[name]
		long := len(name) > 4096 || !there && len(name) > 3600 // the engine's own path to it comes before
		if named := saved.omits()[name] != ""; named || long || strings.HasPrefix(fact, "140") {
			if there {
				t.Errorf("%.40s… (%d bytes) is there, although it is not in the backup", name, len(name))
			}
			delete(then, name)
		}
	}
	for _, home := range []map[string]string{then, now} {
		for name, fact := range home {
			home[name] = asAnEngineShows(fact)
		}
	}
	if diff := cmp.Diff(then, now); diff != "" {
		t.Errorf("the home (-then +now):\n%s", diff)
	}
	counted := map[string]int{}
	for _, x := range saved.Backup.Inexact {
		counted[x.Kind] = -1
		if x.Entries != nil {
			counted[x.Kind] = *x.Entries
		}
	}
	want := map[string]int{"times": len(then), "attributes": -1, "holes": -1, "sockets": -1, "long-paths": -1} // -1: they are not shown there
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("counted by kind (-want +got):\n%s", diff)
	}
}

// asAnEngineShows is a fact of an entry without what Docker's archive does not tell.
func asAnEngineShows(fact string) string {
	fact = regexp.MustCompile(`^(\S+ \S+ \d+)\.\d+`).ReplaceAllString(asAnEngineWrites(fact), "$1")
	attributes := regexp.MustCompile(`\[[^]]*\]`)
	able := regexp.MustCompile(`security\.capability=\w+`).FindString(attributes.FindString(fact))
	return attributes.ReplaceAllLiteralString(fact, "["+able+"]")
}

// Promise: what --skip-path names is in no backup, is listed, and costs the sandbox nothing: a restore leaves it as it is, and the copy that it makes
// for itself has it.
func TestSkipPathsOnBothWays(t *testing.T) {
	p := newPatient(t, 0)
	p.engine.put(p.container, entry{name: "node_modules", dir: true, mode: 0o755}, entry{name: "node_modules/a", content: "a", mode: 0o644, uid: 1000},
		entry{name: "proj", dir: true, mode: 0o755}, entry{name: "proj/main", content: "m", mode: 0o644}, entry{name: "proj/node_modules", dir: true, mode: 0o750, uid: 1000},
		entry{name: "proj/node_modules/b", content: "b", mode: 0o600, uid: 1000}, entry{name: "work", dir: true, mode: 0o755}, entry{name: "work/x.tmp", content: "x", mode: 0o644},
		entry{name: "work/x", content: "kept", mode: 0o644}, entry{name: "x.tmp", content: "elsewhere", mode: 0o644})
	skipped := map[string]string{"node_modules": "skipped", "proj/node_modules": "skipped", "work/x.tmp": "skipped"}
	for _, way := range []string{"direct", "engine"} {
		t.Run(way, func(t *testing.T) {
			p.t, p.engine.t = t, t
			p.engine.homeOnHost(p.container)
			asked := strings.Replace(way, "direct", "auto", 1)
			store := t.TempDir()
			before := p.engine.now(p.container)
			saved := p.saveOdd(asked, "--backup-dir", store, "--skip-path", "node_modules", "--skip-path", "work/*.tmp")
			if diff := cmp.Diff(skipped, saved.omits()); diff != "" || saved.Backup.Way != way {
				t.Errorf("way %q, listed (-want +got):\n%s", saved.Backup.Way, diff)
			}
			_, held := unpack(t, archivePath(saved.Backup.Path))
			for name := range before {
				_, in := held[name]
				if out := bySkip(name); name != "" && in == out {
					t.Errorf("%s is in the backup: %v", name, in)
				}
			}
			p.engine.put(p.container, entry{name: "node_modules/new", content: way, mode: 0o600}, entry{name: "proj/main", content: way, mode: 0o644}, entry{name: "work/x.tmp", content: way, mode: 0o644})
			now := p.engine.now(p.container)
			if out := p.text("restore", p.name, "--backup-dir", store, "--way", asked, "--yes"); out.exit != 0 {
				t.Fatalf("restore: exit %d\n%s%s", out.exit, out.stdout, out.stderr)
			}
			want := maps.Clone(now)
			want["proj/main"] = before["proj/main"]
			if diff := cmp.Diff(want, p.engine.now(p.container)); diff != "" {
				t.Errorf("after the restore (-want +got):\n%s", diff)
			}
			out := p.text("restore", p.name, "--backup-dir", store, "--backup", p.previous(store), "--way", asked, "--yes")
			if diff := cmp.Diff(now, p.engine.now(p.container)); out.exit != 0 || diff != "" {
				t.Errorf("what a restore keeps for itself: exit %d %s(-want +got):\n%s", out.exit, out.stderr, diff)
			}
		})
	}
}

// bySkip reports whether a path is one of those that the test has skipped.
func bySkip(name string) bool {
	return strings.Contains(name, "node_modules") || name == "work/x.tmp"
}

// previous is the backup that the latest restore made of what was there before.
func (p *patient) previous(store string) string {
	p.t.Helper()
	var document struct {
		Result struct{ Backups []listedBackup }
	}
	out := p.text("backups", "list", "--json", "--backup-dir", store)
	must(p.t, json.Unmarshal([]byte(out.stdout), &document))
	for _, b := range document.Result.Backups {
		if b.Label == "before-restore" {
			return b.ID
		}
	}
	p.t.Fatalf("a restore kept nothing: %s", out.stdout)
	return ""
}
