package restore

import (
	"archive/tar"
	"path/filepath"
	"testing"

	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"

	"github.com/google/go-cmp/cmp"
)

const snapshotManifest = `{"version":1,"sandboxName":"box-aa","timestamp":"2026-11-21T10-15-00-000Z","agentType":"openclaw","dir":"/sandbox/.openclaw",
"stateDirs":["workspace","agents","skills"],"backedUpDirs":["workspace","agents"],"failedBackupDirs":["skills"],"stateFiles":[{"path":"openclaw.json","strategy":"copy"}]}`

// Promise: a NemoClaw snapshot goes in with the owner of the target's home, touches only what it holds, and replaces no value, no login and
// no folder that NemoClaw could not or did not want to save (docs/facts/nemoclaw.md 9.5 and 9.6).
func TestASnapshotTouchesOnlyItsOwnPaths(t *testing.T) {
	dir := t.TempDir()
	backuptest.Write(t, dir, map[string]string{
		"rebuild-manifest.json": snapshotManifest, "workspace/plan.md": "then", "agents/main/a.json": "then", "openclaw.json": `{"token":"[STRIPPED_BY_MIGRATION]"}`,
	})
	s := storetest.NewStore(t, store.Options{})
	b, err := s.ImportSnapshot(t.Context(), dir, store.NewBackup{})
	backuptest.Must(t, err)
	if b, err = s.Find("box-aa", b.ID); err != nil {
		t.Fatal(err)
	}
	f := backuptest.NewFakeEngine()
	live := []backuptest.Entry{
		{Name: ".bashrc", Body: "mine"},
		{Name: ".openclaw", Kind: tar.TypeDir, Mode: 0o2770, Uid: 998},
		{Name: ".openclaw/openclaw.json", Body: "live"},
		{Name: ".openclaw/skills", Kind: tar.TypeDir},
		{Name: ".openclaw/skills/s", Body: "live"},
		{Name: ".openclaw/agents", Kind: tar.TypeDir},
		{Name: ".openclaw/agents/auth-profiles.json", Body: "login"},
		{Name: ".openclaw/agents/new", Body: "now"},
		{Name: ".openclaw/workspace", Kind: tar.TypeDir},
		{Name: ".openclaw/workspace/newer", Body: "now"},
	}
	target := f.Add(backuptest.IdA, "exited", live...)
	request := Request{Store: s, Backup: b, Target: target, Consent: true, containers: f, DryRun: true}
	dry, err := Restore(t.Context(), request)
	if err != nil || !cmp.Equal(dry.Removed, []string{".openclaw/agents/new", ".openclaw/workspace/newer"}) {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	request.DryRun = false
	summary, err := Restore(t.Context(), request)
	want := map[string]string{
		"": "", ".bashrc": "mine", ".openclaw": "", ".openclaw/openclaw.json": "live", ".openclaw/skills": "", ".openclaw/skills/s": "live",
		".openclaw/agents": "", ".openclaw/agents/auth-profiles.json": "login", ".openclaw/agents/main": "", ".openclaw/agents/main/a.json": "then",
		".openclaw/workspace": "", ".openclaw/workspace/plan.md": "then",
	}
	if diff := cmp.Diff(want, f.Home(backuptest.IdA)); err != nil || diff != "" {
		t.Errorf("%v, home (-want +got):\n%s", err, diff)
	}
	if !cmp.Equal(summary.Kept, []string{".openclaw/agents/auth-profiles.json", ".openclaw/openclaw.json"}) {
		t.Errorf("kept %q", summary.Kept)
	}
	for _, name := range []string{".openclaw/workspace", ".openclaw/workspace/plan.md", ".openclaw/agents/main/a.json"} {
		if e := f.Files[backuptest.IdA][filepath.Join("sandbox", name)]; e.Uid != 998 {
			t.Errorf("%s belongs to %d", name, e.Uid)
		}
	}
	if e := f.Files[backuptest.IdA]["sandbox/.openclaw"]; e.Mode != 0o2770 {
		t.Errorf("the folder above has mode %o", e.Mode)
	}
}

// Into an empty home it brings the folders above what it holds.
func TestASnapshotIntoAnEmptyHome(t *testing.T) {
	dir := t.TempDir()
	backuptest.Write(t, dir, map[string]string{"rebuild-manifest.json": snapshotManifest, "workspace/plan.md": "then", "openclaw.json": `{"token":"[STRIPPED_BY_MIGRATION]"}`})
	s := storetest.NewStore(t, store.Options{})
	b, err := s.ImportSnapshot(t.Context(), dir, store.NewBackup{})
	backuptest.Must(t, err)
	if b, err = s.Find("box-aa", b.ID); err != nil {
		t.Fatal(err)
	}
	f := backuptest.NewFakeEngine()
	summary, err := Restore(t.Context(), Request{Store: s, Backup: b, Target: f.Add(backuptest.IdA, "exited"), Consent: true, containers: f})
	want := map[string]string{"": "", ".openclaw": "", ".openclaw/openclaw.json": `{"token":"[STRIPPED_BY_MIGRATION]"}`, ".openclaw/workspace": "", ".openclaw/workspace/plan.md": "then"}
	if diff := cmp.Diff(want, f.Home(backuptest.IdA)); err != nil || diff != "" {
		t.Errorf("%v, home (-want +got):\n%s", err, diff)
	}
	if e := f.Files[backuptest.IdA]["sandbox/.openclaw"]; e.Uid != 998 || len(summary.Missing) != 1 {
		t.Errorf("the folder belongs to %d; to be entered again: %+v", e.Uid, summary.Missing)
	}
}
