package migrate

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sandkeeper/drift"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

func version(t *testing.T, text string) drift.Version {
	t.Helper()
	v, ok := drift.Parse(text)
	if !ok {
		t.Fatalf("%q is no version", text)
	}
	return v
}

// old is a sandbox in a container of 0.0.x.
func old(name string) Seen {
	return Seen{Home: "/sandbox", ImageHere: true, Sandbox: sandbox.Sandbox{
		Name: name, Workspace: "default", ID: "id-" + name, Gateway: "gw", Standing: sandbox.Ready, Route: sandbox.ByContainer,
		Container: &engine.Container{ID: "c-" + name, Name: "openshell-" + name, State: "running"},
	}}
}

// TestStages: where a host is decides what comes first; on one that was upgraded in place the containers are the only copy.
func TestStages(t *testing.T) {
	pair := old("fresh")
	pair.Sandbox.Container.Role = "sandbox"
	listed := Seen{Sandbox: sandbox.Sandbox{Name: "remote", Workspace: "default", Gateway: "gw"}}
	set := &Set{Gateway: "gw", Sandboxes: []Member{{Name: "alpha", Workspace: "default", ID: "id-alpha", Final: true}}}
	half := &Set{Gateway: "gw", Sandboxes: []Member{{Name: "alpha", Workspace: "default", ID: "id-alpha"}}}
	for name, c := range map[string]struct {
		running    string
		generation int
		seen       []Seen
		set        *Set
		want       Stage
	}{
		"0.0.x":                               {"0.0.110", 6, []Seen{old("alpha")}, nil, StageExport},
		"0.0.x, nothing in containers":        {"0.0.110", 6, []Seen{listed}, nil, StageExport},
		"0.0.x, an export that did not end":   {"0.0.110", 6, []Seen{old("alpha")}, half, StageExport},
		"0.0.x, exported":                     {"0.0.110", 6, []Seen{old("alpha")}, set, StageImport},
		"0.0.x, a sandbox that came after":    {"0.0.110", 6, []Seen{old("alpha"), old("beta")}, set, StageExport},
		"upgraded in place":                   {"0.1.9", 7, []Seen{old("alpha"), pair}, nil, StageRescue},
		"upgraded in place, the gateway down": {"", 10, []Seen{old("alpha")}, nil, StageRescue},
		"reinstalled":                         {"0.1.9", 7, []Seen{old("alpha")}, set, StageImport},
		"0.1.x":                               {"0.1.9", 7, []Seen{pair, listed}, nil, StageDone},
		"nothing":                             {"0.0.110", 6, nil, nil, StageDone},
	} {
		f := Facts{Gateway: "gw", Generation: c.generation, Sandboxes: c.seen, Set: c.set}
		if c.running != "" {
			f.Running = version(t, c.running)
		}
		p := Make(f)
		if p.Stage != c.want || (len(p.Steps) == 0) != (c.want == StageDone) {
			t.Errorf("%s: %s with %d steps, want %s", name, p.Stage, len(p.Steps), c.want)
		}
		if warned := strings.Contains(strings.Join(p.Warnings, " "), "openshell sandbox delete"); warned != (c.want == StageRescue) {
			t.Errorf("%s: warns of deletions: %v", name, warned)
		}
	}
}

// TestJudge: each thing that 0.1.x refuses is named, with what to do.
func TestJudge(t *testing.T) {
	spec := func(image string, mounts ...openshell.Mount) []byte {
		b, err := openshell.Changes{Image: image, Driver: "docker", Mounts: mounts}.Apply(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		change        func(*Seen)
		refused, lost string
	}{
		"nothing":     {func(*Seen) {}, "", ""},
		"bind":        {func(s *Seen) { s.Recipe.Spec = spec("img:1", openshell.Mount{Source: "/srv", Target: "/data"}) }, "bind-mount", ""},
		"volume":      {func(s *Seen) { s.Recipe.Spec = spec("img:1", openshell.Mount{Source: "work", Target: "/data"}) }, "volume-mount", ""},
		"name":        {func(s *Seen) { s.Sandbox.Name = strings.Repeat("a", 20) }, "name", ""},
		"root":        {func(s *Seen) { s.ImageUser = "root" }, "user", ""},
		"built here":  {func(s *Seen) { s.Recipe.Image = "openshell/sandbox-from:1" }, "", "dockerfile"},
		"built, gone": {func(s *Seen) { s.Recipe.Image, s.ImageHere = "openshell/sandbox-from:1", false }, "dockerfile", ""},
		"not pulled":  {func(s *Seen) { s.ImageHere = false }, "", "image"},
		"untold":      {func(s *Seen) { s.Recipe = nil }, "", "recipe"},
		"unreadable":  {func(s *Seen) { s.Sandbox.Route = sandbox.NoRoute }, "", "home"},
	} {
		s := old("alpha")
		s.Recipe = &driver.Recipe{Image: "img:1", Spec: spec("img:1")}
		c.change(&s)
		p := judge(s)
		has := func(items []Item, code string) bool {
			return slices.ContainsFunc(items, func(i Item) bool { return i.Code == code && (i.Fix != "" || code != "bind-mount") })
		}
		if c.refused != "" && !has(p.Refused, c.refused) || c.refused == "" && len(p.Refused) > 0 {
			t.Errorf("%s: refused %+v, want %q", name, p.Refused, c.refused)
		}
		if c.lost != "" && !has(p.NotCarried, c.lost) || c.lost == "" && len(p.NotCarried) != 3 {
			t.Errorf("%s: not carried %+v, want %q", name, p.NotCarried, c.lost)
		}
	}
}

// TestCarryOver: what an export has stopped is known to have run, unless somebody has started and stopped it since.
func TestCarryOver(t *testing.T) {
	at := time.Unix(1, 0)
	ran := Member{ID: "id", Container: "c", Started: at, Running: true, Stopped: true}
	for name, c := range map[string]struct {
		now     Member
		earlier *Member
		moved   bool
		want    bool
	}{
		"stopped by the export":      {Member{ID: "id", Container: "c", Started: at}, &ran, false, true},
		"started and stopped since":  {Member{ID: "id", Container: "c", Started: at.Add(1)}, &ran, false, false},
		"the same on the new host":   {Member{ID: "id", Container: "c", Started: at.Add(1)}, &ran, true, true},
		"another sandbox":            {Member{ID: "other", Container: "c", Started: at}, &ran, true, false},
		"no earlier run":             {Member{ID: "id", Container: "c", Started: at}, nil, false, false},
		"it was stopped before that": {Member{ID: "id", Container: "c", Started: at}, &Member{ID: "id", Container: "c", Started: at}, false, false},
	} {
		c.now.carryOver(c.earlier, c.moved)
		if c.now.Running != c.want {
			t.Errorf("%s: running %v", name, c.now.Running)
		}
	}
}

// TestDatabaseGoesAsideWithItsLog runs the commands of the plan: without its log, a database that was not closed lacks what was last written.
func TestDatabaseGoesAsideWithItsLog(t *testing.T) {
	for _, files := range [][]string{{""}, {"", "-wal", "-shm"}} {
		database := filepath.Join(t.TempDir(), "a b.db")
		for _, suffix := range files {
			if err := os.WriteFile(database+suffix, []byte(suffix), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, command := range (Facts{Database: database}).putAside() {
			if said, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
				t.Fatalf("%s: %s", command, said)
			}
		}
		left, err := filepath.Glob(database + "*")
		if err != nil || len(left) != len(files) {
			t.Errorf("left: %q, %v", left, err)
		}
		for _, suffix := range files {
			if content, err := os.ReadFile(database + ".0.0.x" + suffix); err != nil || string(content) != suffix {
				t.Errorf("%s%s: %q, %v", database, suffix, content, err)
			}
		}
	}
}

// TestCommandsTakeNamesAsTheyAre: names come from outside, and the commands are for pasting.
func TestCommandsTakeNamesAsTheyAre(t *testing.T) {
	got := enterAgain("gw", Provider{Name: "a; b", Type: "github", Workspace: "default", Credentials: []string{"TOKEN"}})
	if want := "openshell provider create --name 'a; b' --type github -g gw --credential TOKEN"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
