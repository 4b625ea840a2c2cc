package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// snapshotOf writes what NemoClaw saves of a sandbox (docs/facts/nemoclaw.md 9.2): workspace and agents it could save, skills it could not.
func (p *patient) snapshotOf(files map[string]string) (folder string) {
	p.t.Helper()
	folder = filepath.Join(p.Home, ".nemoclaw/rebuild-backups", p.name, "2026-11-21T10-15-00-000Z")
	files["rebuild-manifest.json"] = fmt.Sprintf(`{"version":1,"sandboxName":%q,"timestamp":"2026-11-21T10-15-00-000Z","agentType":"openclaw","dir":"/sandbox/.openclaw",
"stateDirs":["workspace","agents","skills"],"backedUpDirs":["workspace","agents"],"failedBackupDirs":["skills"],"stateFiles":[{"path":"openclaw.json","strategy":"copy"}]}`, p.name)
	for name, content := range files {
		path := filepath.Join(folder, name)
		must(p.t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(p.t, os.WriteFile(path, []byte(content), 0o600))
	}
	return folder
}

// Promise: a NemoClaw snapshot comes back with the owner that the target's agent needs, touches only the paths that it holds, and costs
// no login and no value: into a running sandbox and a stopped one.
func TestANemoClawSnapshotTouchesOnlyItsOwnPaths(t *testing.T) {
	p := newPatient(t, 0)
	folder := p.snapshotOf(map[string]string{
		"workspace/plan.md": "then", "workspace/deep/er.md": "then", "agents/main/a.json": "then", "openclaw.json": `{"token":"[STRIPPED_BY_MIGRATION]"}`,
	})
	if out := p.text("backups", "import", folder); out.exit != 0 {
		t.Fatalf("import: exit %d\n%s%s", out.exit, out.stdout, out.stderr)
	}
	must(t, os.Chown(p.engine.homeOnHost(p.container), 998, 998))
	for _, state := range []string{"running", "exited"} {
		t.Run(state, func(t *testing.T) {
			p.t, p.engine.t = t, t
			p.engine.put(p.container, entry{name: ".openclaw", dir: true, mode: 0o2770, uid: 998}, entry{name: ".openclaw/openclaw.json", content: "live", mode: 0o640, uid: 998},
				entry{name: ".openclaw/skills/", dir: true, mode: 0o750, uid: 7}, entry{name: ".openclaw/skills/s", content: "live", mode: 0o600, uid: 7},
				entry{name: ".openclaw/agents", dir: true, mode: 0o750, uid: 998}, entry{name: ".openclaw/agents/auth-profiles.json", content: "login", mode: 0o600, uid: 998},
				entry{name: ".openclaw/workspace", dir: true, mode: 0o750, uid: 998}, entry{name: ".openclaw/workspace/newer", content: "now", mode: 0o600, uid: 998})
			if state == "exited" {
				p.engine.stop(p.container)
			}
			before := p.engine.now(p.container)
			out := p.text("restore", p.name, "--yes")
			if out.exit != 0 || !strings.Contains(out.stdout, "left as it is, not whole in the backup: .openclaw/openclaw.json\n") {
				t.Fatalf("restore: exit %d\n%s%s", out.exit, out.stdout, out.stderr)
			}
			after := p.engine.now(p.container)
			for name := range after {
				if bySnapshot(name) && !strings.Contains(after[name], " 998:998 ") {
					t.Errorf("%s is %s; its agent is user 998", name, after[name])
				}
			}
			_, plan := after[".openclaw/workspace/deep/er.md"]
			if _, newer := after[".openclaw/workspace/newer"]; newer || !plan {
				t.Errorf("the snapshot's folder holds what is newer: %v, what it saved: %v", newer, plan)
			}
			maps.DeleteFunc(before, func(name, _ string) bool { return bySnapshot(name) })
			maps.DeleteFunc(after, func(name, _ string) bool { return bySnapshot(name) })
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("what the snapshot does not hold (-before +after):\n%s", diff)
			}
			if now := p.engine.state(p.container); now != state {
				t.Errorf("the container is %s", now)
			}
		})
	}
}

// bySnapshot reports whether a path of the home is one that a snapshot brings.
func bySnapshot(name string) bool {
	logins := strings.HasSuffix(name, "/auth-profiles.json")
	return strings.HasPrefix(name, ".openclaw/workspace") || strings.HasPrefix(name, ".openclaw/agents") && !logins
}
