package store

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sandkeeper/backup/archive"

	"github.com/google/go-cmp/cmp"
)

// openClawHome is a home with an OpenClaw agent's state and things that are not state.
func openClawHome() []item {
	link := func(flag byte, name, target string) item {
		return item{tar.Header{Typeflag: flag, Name: name, Linkname: target, Mode: 0o777}, ""}
	}
	return []item{
		folderItem("."), fileItem("notes.md", "not state"), folderItem(".openclaw"), fileItem(".openclaw/openclaw.json", `{"agents":[]}`), fileItem(".openclaw/cache.db", "not state"),
		folderItem(".openclaw/workspace"), fileItem(".openclaw/workspace/SOUL.md", "soul"), folderItem(".openclaw/workspace/deep"), fileItem(".openclaw/workspace/deep/x", "deep"),
		link(tar.TypeLink, ".openclaw/workspace/hard", ".openclaw/workspace/SOUL.md"), link(tar.TypeLink, ".openclaw/workspace/out", "notes.md"),
		link(tar.TypeSymlink, ".openclaw/workspace/soft", "deep/x"), link(tar.TypeSymlink, ".openclaw/workspace/etc", "/etc/passwd"), link(tar.TypeSymlink, ".openclaw/workspace/up", "../../notes.md"),
		folderItem(".openclaw/workspace-two"), fileItem(".openclaw/workspace-two/y", "y"), folderItem(".openclaw/memory"), link(tar.TypeSymlink, ".openclaw/skills", "/tmp"),
	}
}

func TestExportedSnapshotIsWhatNemoClawReads(t *testing.T) {
	s := testStore(t, Options{})
	n := newOf("alpha")
	n.Manifest.Agent, n.Manifest.Versions.Agent = "openclaw", "2026.7.1"
	b := create(t, s, n, openClawHome()...)
	root := filepath.Join(t.TempDir(), "rebuild-backups")
	got, err := s.ExportSnapshot(t.Context(), b, SnapshotRequest{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(got.Dir) != filepath.Join(root, "alpha") {
		t.Errorf("dir = %s", got.Dir)
	}
	skipped := map[string]string{}
	for _, x := range got.Skipped {
		skipped[strings.TrimPrefix(x.Path, ".openclaw/")] = x.Reason
	}
	if want := map[string]string{
		"workspace/out": "hard link to notes.md, which is not state", "workspace/etc": "symbolic link out of .openclaw/workspace",
		"workspace/up": "symbolic link out of .openclaw/workspace", "skills": "a symbolic link in place of state",
	}; !maps.Equal(skipped, want) {
		t.Errorf("skipped = %v", skipped)
	}
	tree := map[string]string{}
	err = filepath.WalkDir(got.Dir, func(name string, d fs.DirEntry, err error) error {
		info, infoErr := d.Info()
		rel, _ := filepath.Rel(got.Dir, name)
		switch {
		case d.IsDir():
			tree[rel] = info.Mode().Perm().String()
		case info.Mode().IsRegular():
			content, _ := os.ReadFile(name)
			tree[rel] = info.Mode().Perm().String() + " " + string(content)
		default:
			tree[rel], _ = os.Readlink(name)
		}
		return errors.Join(err, infoErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(tree, snapshotManifestName)
	want := map[string]string{
		".": "-rwx------", "openclaw.json": `-rw------- {"agents":[]}`, "workspace": "-rwx------", "workspace/SOUL.md": "-rw------- soul", "workspace/deep": "-rwx------",
		"workspace/deep/x": "-rw------- deep", "workspace/hard": "-rw------- soul", "workspace/soft": "deep/x", "workspace-two": "-rwx------", "workspace-two/y": "-rw------- y", "memory": "-rwx------",
	}
	if diff := cmp.Diff(want, tree); diff != "" {
		t.Error(diff)
	}
	snap, err := ReadSnapshot(got.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if snap.BackupPath != got.Dir || snap.Timestamp != filepath.Base(got.Dir) || snap.Dir != "/sandbox/.openclaw" || *snap.AgentVersion != "2026.7.1" ||
		!slices.Equal(snap.BackedUpDirs, []string{"memory", "workspace", "workspace-two"}) || !slices.Equal(snap.StateFiles, []SnapshotFile{{"openclaw.json", "copy"}}) {
		t.Errorf("manifest = %+v", snap)
	}
	if _, err := s.ExportSnapshot(t.Context(), b, SnapshotRequest{Root: root}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second export over the first: %v", err)
	}
	assertImported(t, got.Dir)
}

// assertImported imports the snapshot and compares what it holds.
func assertImported(t *testing.T, dir string) {
	t.Helper()
	s := testStore(t, Options{})
	b, err := s.ImportSnapshot(t.Context(), dir, NewBackup{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), b, true); err != nil {
		t.Error(err)
	}
	full, err := s.Load(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range listed(t, full.Index).Entries {
		names = append(names, e.Path)
	}
	want := []string{
		".", ".openclaw", ".openclaw/memory", ".openclaw/openclaw.json", ".openclaw/workspace", ".openclaw/workspace-two", ".openclaw/workspace-two/y",
		".openclaw/workspace/SOUL.md", ".openclaw/workspace/deep", ".openclaw/workspace/deep/x", ".openclaw/workspace/hard", ".openclaw/workspace/soft",
	}
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if b.Sandbox != "alpha" || full.Agent != "openclaw" || full.Home != "/sandbox" || full.Consistency != archive.ConsistencyLive || hourOf(b) != filepath.Base(dir)[:13] {
		t.Errorf("manifest = %+v", full)
	}
}

// hourOf is a backup's moment in the words of a snapshot's name, to the hour.
func hourOf(b Backup) string { return b.Time().Format("2006-01-02T15") }

func TestExportSnapshotLeavesNothingOfADamagedBackup(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), openClawHome()...)
	if err := os.Truncate(b.ArchivePath(), 40); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "rebuild-backups")
	_, err := s.ExportSnapshot(t.Context(), b, SnapshotRequest{Root: root})
	if _, ok := errors.AsType[*archive.DamageError](err); !ok {
		t.Errorf("err = %v", err)
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was left: %v", err)
	}
}

func TestImportSnapshotIsNotLedAstray(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("host file"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "workspace"), 0o700), os.Symlink(outside, filepath.Join(dir, "memory")),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "workspace", "soft")), os.Symlink(outside, filepath.Join(dir, "nested")),
		os.WriteFile(filepath.Join(dir, snapshotManifestName), []byte(`{"version":1,"sandboxName":"alpha","timestamp":"2026-06-26T12-34-56-789Z","agentType":"openclaw","dir":"/sandbox/.openclaw",
			"stateDirs":["workspace","memory","cron","hooks"],"backedUpDirs":["workspace","memory","cron"],"failedBackupDirs":["hooks"],"stateFiles":[{"path":"openclaw.json","strategy":"copy"}]}`), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s := testStore(t, Options{})
	b, err := s.ImportSnapshot(context.Background(), dir, NewBackup{})
	if err != nil {
		t.Fatal(err)
	}
	if b.Manifest.Content.Files != 0 || b.Manifest.Content.Bytes != 0 {
		t.Errorf("a host file came in through a link: %+v", b.Manifest.Content)
	}
	if x := b.Manifest.Exclusions; len(x) != 2 || x[0].Path != ".openclaw/hooks" || x[1].Path != ".openclaw/memory" {
		t.Errorf("exclusions = %+v", x)
	}
}

func TestDecodeSnapshotRefuses(t *testing.T) {
	good := map[string]any{"version": 1, "sandboxName": "alpha", "timestamp": "2026-06-26T12-34-56-789Z", "dir": "/sandbox/.openclaw", "stateDirs": []string{"a"}}
	for name, change := range map[string]map[string]any{
		"another version": {"version": 2}, "a climbing name": {"sandboxName": "../x"}, "no time": {"timestamp": "yesterday"}, "no dash": {"timestamp": "x"}, "relative dir": {"dir": "sandbox"},
		"the root": {"dir": "/"}, "climbing dir": {"dir": "/sandbox/../etc"}, "climbing state": {"stateDirs": []string{"../x"}}, "absolute state": {"stateDirs": []string{"/x"}},
		"undeclared": {"backedUpDirs": []string{"b"}}, "undeclared failure": {"failedBackupDirs": []string{"b"}}, "climbing file": {"stateFiles": []SnapshotFile{{"a/../../x", "copy"}}},
		"the folder itself": {"stateDirs": []string{"."}}, "wrong type": {"stateDirs": "a"},
	} {
		m := maps.Clone(good)
		maps.Copy(m, change)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if snap, err := decodeSnapshot(text); err == nil {
			t.Errorf("%s: read as %+v", name, snap)
		}
	}
	delete(good, "dir")
	good["writableDir"] = "/sandbox/.hermes"
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	if snap, err := decodeSnapshot(text); err != nil || snap.Dir != "/sandbox/.hermes" {
		t.Errorf("the old key: %+v, %v", snap, err)
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	f.Add([]byte(`{"version":1,"sandboxName":"a","timestamp":"2026-06-26T12-34-56-789Z","dir":"/s/.o","stateDirs":["a"],"stateFiles":[{"path":"x","strategy":"copy"}]}`))
	f.Add([]byte(`{"version":1,"sandboxName":"a","timestamp":"-","writableDir":"/"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		snap, err := decodeSnapshot(text)
		if err != nil {
			return
		}
		for _, name := range snap.StateDirs {
			if !filepath.IsLocal(name) {
				t.Errorf("%q leads out", name)
			}
		}
	})
}
