package store

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/sandboxname"
)

// maxSnapshotManifest bounds what is read of a rebuild-manifest.json.
const maxSnapshotManifest = 16 << 20

// ReadSnapshot reads and checks the manifest of a NemoClaw snapshot, with the rules of NemoClaw's own reader
// (docs/facts/nemoclaw.md 9.2).
func ReadSnapshot(dir string) (Snapshot, error) {
	text, err := disk.ReadPlain(filepath.Join(dir, snapshotManifestName), maxSnapshotManifest)
	if err != nil {
		return Snapshot{}, fmt.Errorf("%s is no NemoClaw snapshot: %w", dir, err)
	}
	snap, err := decodeSnapshot(text)
	if err != nil {
		return Snapshot{}, fmt.Errorf("%s is no NemoClaw snapshot: %w", dir, err)
	}
	return snap, nil
}

func decodeSnapshot(text []byte) (Snapshot, error) {
	var snap Snapshot
	if err := json.Unmarshal(text, &snap); err != nil {
		return snap, fmt.Errorf("%s: %w", snapshotManifestName, err)
	}
	if snap.Version != 1 {
		return snap, fmt.Errorf("%s has version %d, not 1", snapshotManifestName, snap.Version)
	}
	if err := sandboxname.CheckFolder(snap.SandboxName); err != nil {
		return snap, err
	}
	if _, err := snap.time(); err != nil {
		return snap, err
	}
	if snap.Dir == "" {
		snap.Dir = snap.WritableDir
	}
	if !path.IsAbs(snap.Dir) || path.Clean(snap.Dir) != snap.Dir || snap.Dir == "/" {
		return snap, fmt.Errorf("its folder %q is not a plain absolute path", snap.Dir)
	}
	return snap, snap.checkNames()
}

// checkNames refuses names that lead anywhere but below the snapshot, and lists that contradict each other.
func (s Snapshot) checkNames() error {
	for _, dir := range slices.Concat(s.BackedUpDirs, s.FailedDirs) {
		if !slices.Contains(s.StateDirs, dir) {
			return fmt.Errorf("folder %q is not among its state folders", dir)
		}
	}

	names := slices.Clone(s.StateDirs)
	for _, f := range s.StateFiles {
		names = append(names, f.Path)
	}
	for _, name := range names {
		if reason := archive.OddName(name); reason != "" || name == "." || archive.CleanName(name) != name {
			return fmt.Errorf("name %q is not a plain relative path", name)
		}
	}

	return nil
}

// ImportSnapshot makes a backup from the NemoClaw snapshot in dir, which is only read. Folders that NemoClaw could not
// save are among the exclusions. Credentials are treated as in every other backup.
func (s *Store) ImportSnapshot(ctx context.Context, dir string, n NewBackup) (Backup, error) {
	snap, err := ReadSnapshot(dir)
	if err != nil {
		return Backup{}, err
	}
	taken, err := snap.time()
	if err != nil {
		return Backup{}, err
	}
	n.Manifest.Sandbox = snap.SandboxName
	n.Manifest.Home, n.Manifest.Agent = "/sandbox", snap.AgentType
	if !strings.HasPrefix(snap.Dir, "/sandbox/") {
		n.Manifest.Home = path.Dir(snap.Dir)
	}
	n.Manifest.Inventory = archive.InventorySnapshot
	n.Manifest.Consistency, n.Manifest.ConsistencyReason = archive.ConsistencyLive, "NemoClaw snapshot of "+taken.Format("2006-01-02T15:04:05.000Z07:00")
	if snap.AgentVersion != nil {
		n.Manifest.Versions.Agent = *snap.AgentVersion
	}
	if n.Manifest.Label == "" {
		n.Manifest.Label = snap.Name
	}
	n.Fresh, n.Taken = true, taken
	return s.Create(ctx, n, func(ctx context.Context, a *archive.Archive) error {
		return fillFromSnapshot(ctx, a, dir, snap, strings.TrimPrefix(snap.Dir, n.Manifest.Home+"/"))
	})
}

// fillFromSnapshot adds what a snapshot holds, below the agent's folder.
func fillFromSnapshot(ctx context.Context, a *archive.Archive, dir string, snap Snapshot, below string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	w := snapshotWalk{ctx: ctx, archive: a, root: root, below: below}
	for _, name := range ancestors(below + "/x") {
		if err := w.addFolder(name, 0o755); err != nil {
			return err
		}
	}

	for _, name := range snap.FailedDirs {
		a.Omit(path.Join(below, name), "NemoClaw could not save this folder")
	}
	saved := snap.BackedUpDirs
	if saved == nil {
		saved = snap.StateDirs // old manifests do not tell the two apart
	}
	for _, f := range snap.StateFiles {
		saved = append(slices.Clone(saved), f.Path)
	}
	var parts []string
	for _, name := range saved {
		if err := w.tree(name); err != nil {
			return fmt.Errorf("read %s: %w", filepath.Join(dir, name), err)
		}
		stored := path.Join(below, name)
		if _, held := a.Kinds.Of(stored); held {
			parts = append(parts, stored)
		}
	}

	a.Note(func(m *archive.Manifest) { m.Parts = parts })
	return nil
}

// snapshotWalk reads a snapshot's files; os.Root keeps it from being led out of the snapshot.
type snapshotWalk struct {
	ctx     context.Context
	archive *archive.Archive
	root    *os.Root
	below   string
}

// tree adds one state folder or file; what the snapshot declares but does not have is no error.
func (w *snapshotWalk) tree(name string) error {
	info, err := w.root.Lstat(name)
	if err != nil {
		return disk.IgnoreMissing(err)
	}
	if info.Mode()&fs.ModeSymlink != 0 { // NemoClaw restores none either
		w.archive.Omit(path.Join(w.below, name), "a symbolic link in place of state")
		return nil
	}
	for _, above := range ancestors(name) {
		if err := w.addFolder(path.Join(w.below, above), 0o700); err != nil {
			return err
		}
	}

	return fs.WalkDir(w.root.FS(), name, func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, context.Cause(w.ctx)); err != nil {
			return err
		}
		return w.add(name)
	})
}

func (w *snapshotWalk) add(name string) error {
	info, err := w.root.Lstat(name)
	if err != nil {
		return err
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = w.root.Readlink(name); err != nil {
			return err
		}
	}

	stored := path.Join(w.below, name)
	if kind, _ := w.archive.Kinds.Of(stored); kind == tar.TypeDir && info.IsDir() {
		return nil // a state folder inside another
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		w.archive.Omit(stored, err.Error())
		return nil
	}
	h.Name, h.Uid, h.Gid, h.Uname, h.Gname = stored, 0, 0, "sandbox", "sandbox"
	if !info.Mode().IsRegular() {
		return w.archive.Add(h, nil)
	}
	f, err := w.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	content, stripped, err := screenSnapshot(h, io.LimitReader(f, h.Size))
	if err != nil {
		return err
	}
	if stripped != nil {
		w.archive.Exclusions = append(w.archive.Exclusions, *stripped)
	}
	return w.archive.Add(h, content)
}

// screenSnapshot names a file in which NemoClaw has replaced values (docs/facts/nemoclaw.md 9.5).
func screenSnapshot(h *tar.Header, r io.Reader) (io.Reader, *archive.Exclusion, error) {
	if h.Size > maxStripped || !screenedName(h.Name) {
		return r, nil, nil
	}
	content, err := io.ReadAll(r)
	if err != nil || !bytes.Contains(content, []byte(strippedValue)) {
		return bytes.NewReader(content), nil, err
	}
	return bytes.NewReader(content), archive.LeftOut(h.Name, archive.LeftOutRedacted, "NemoClaw replaced values by "+strippedValue), nil
}

// maxStripped is up to which size NemoClaw looks into a file (docs/facts/nemoclaw.md 9.5).
const maxStripped = 16 << 20

// DroppedBySnapshot reports whether NemoClaw takes a file of that name out of every snapshot (docs/facts/nemoclaw.md
// 9.5).
func DroppedBySnapshot(name string) bool {
	return slices.Contains([]string{"auth-profiles.json", "auth.json", "chatgpt-auth.json"}, path.Base(name))
}

// addFolder adds a folder that the snapshot itself does not have, once.
func (w *snapshotWalk) addFolder(name string, mode int64) error {
	if _, have := w.archive.Kinds.Of(archive.CleanName(name)); have {
		return nil
	}
	return w.archive.Add(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, Uname: "sandbox", Gname: "sandbox"}, nil)
}

// ancestors are the folders above name, outermost first, "." included.
func ancestors(name string) []string {
	out := []string{"."}
	for i, r := range name {
		if r == '/' {
			out = append(out, name[:i])
		}
	}
	return out
}
