package store

import (
	"archive/tar"
	"cmp"
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
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// snapshotManifestName makes a folder a NemoClaw snapshot (docs/facts/nemoclaw.md 9.1).
const snapshotManifestName = "rebuild-manifest.json"

// snapshotTime is how NemoClaw names a snapshot: ISO 8601 in UTC with ':' and '.' replaced.
const snapshotTime = "2006-01-02T15-04-05.000Z"

// Snapshot is NemoClaw's rebuild-manifest.json, version 1 (docs/facts/nemoclaw.md 9.2), as far as it is read or
// written here.
type Snapshot struct {
	Version         int             `json:"version"`
	SandboxName     string          `json:"sandboxName"`
	Timestamp       string          `json:"timestamp"`
	AgentType       string          `json:"agentType"`
	AgentVersion    *string         `json:"agentVersion"`
	ExpectedVersion *string         `json:"expectedVersion"`
	Dir             string          `json:"dir"`
	WritableDir     string          `json:"writableDir,omitempty"` // what Dir was called before
	StateDirs       []string        `json:"stateDirs"`
	BackedUpDirs    []string        `json:"backedUpDirs"` // nil in old manifests
	FailedDirs      []string        `json:"failedBackupDirs"`
	StateFiles      []SnapshotFile  `json:"stateFiles"`
	BackupPath      string          `json:"backupPath"`
	BlueprintDigest *string         `json:"blueprintDigest"`
	PolicyPresets   json.RawMessage `json:"policyPresets,omitempty"`
	CustomPolicies  json.RawMessage `json:"customPolicies,omitempty"`
	Name            string          `json:"name,omitempty"`
}

// SnapshotFile is one state file of a snapshot; Strategy is "copy" or "sqlite_backup".
type SnapshotFile struct {
	Path     string `json:"path"`
	Strategy string `json:"strategy"`
}

// SnapshotRequest says how a backup becomes a NemoClaw snapshot.
type SnapshotRequest struct {
	Root           string             // NemoClaw's rebuild-backups folder
	Identities     archive.Identities // private keys, for encrypted backups
	PolicyPresets  json.RawMessage    // of the registry row; nil says nothing about policies
	CustomPolicies json.RawMessage
}

// ExportedSnapshot is what ExportSnapshot made.
type ExportedSnapshot struct {
	Dir     string
	Dirs    int
	Files   int
	Skipped []archive.Exclusion // state that a snapshot cannot hold
}

// ExportSnapshot writes the agent's state in b as a snapshot that `nemoclaw NAME snapshot restore` takes:
// <root>/<sandbox>/<timestamp>, folders 0700, files 0600, its manifest last. b is verified first.
func (s *Store) ExportSnapshot(ctx context.Context, b Backup, o SnapshotRequest) (out ExportedSnapshot, err error) {
	if err := s.Prove(ctx, b, o.Identities); err != nil {
		return out, err
	}
	m, err := s.Load(b, o.Identities)
	if err != nil {
		return out, err
	}
	below, items := StateOf(m.Agent)
	if len(items) == 0 {
		return out, fmt.Errorf("where agent %q keeps its state is not known, so no snapshot can be made", m.Agent)
	}
	out.Dir, err = s.makeSnapshotFolder(o.Root, m)
	if err != nil {
		return out, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(out.Dir))
		}
	}()
	x := extraction{below: below, items: items, out: &out}
	if err := x.run(ctx, s, b, o.Identities); err != nil {
		return out, fmt.Errorf("export backup %s of sandbox %q: %w", b.ID, b.Series().Address(), err)
	}
	content, err := json.MarshalIndent(x.manifest(m, o), "", "  ")
	if err != nil {
		return out, err
	}
	return out, disk.ReplaceFile(s.disk, out.Dir, snapshotManifestName, append(content, '\n'))
}

// makeSnapshotFolder makes the folder of a new snapshot; a folder that is there already is left alone.
func (s *Store) makeSnapshotFolder(root string, m *archive.Manifest) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	if err := checkRoot(root, os.Getuid()); err != nil {
		return "", err
	}
	parent := filepath.Join(root, m.Sandbox)
	if err := s.makeFolder(parent); err != nil {
		return "", err
	}
	dir := filepath.Join(parent, strings.ReplaceAll(m.Started.UTC().Format(snapshotTime), ".", "-"))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("export a snapshot: %w", err)
	}
	return dir, nil
}

// extraction writes the state in an archive below a folder that nothing can lead out of.
type extraction struct {
	below string
	items []string
	root  *os.Root
	out   *ExportedSnapshot
	dirs  []string // state folders that were written
	files []string // state files that were written
}

func (x *extraction) run(ctx context.Context, s *Store, b Backup, ids archive.Identities) (err error) {
	if x.root, err = os.OpenRoot(x.out.Dir); err != nil {
		return err
	}
	defer x.root.Close()
	r, err := s.Open(ctx, b, archive.OpenOptions{Identities: ids})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := x.entry(h, r); err != nil {
			return err
		}
	}
}

// entry writes one entry when it is state.
func (x *extraction) entry(h *tar.Header, r io.Reader) error {
	name := archive.CleanName(h.Name)
	top, isState := x.stateRoot(name)
	if !isState {
		return nil
	}
	rel := strings.TrimPrefix(name, x.below+"/")
	if err := x.root.MkdirAll(path.Dir(rel), 0o700); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if name == top {
			x.dirs = append(x.dirs, rel)
		}
		x.out.Dirs++
		return disk.IgnoreExists(x.root.Mkdir(rel, 0o700))
	case tar.TypeReg:
		if name == top {
			x.files = append(x.files, rel)
		}
		return x.write(rel, r)
	case tar.TypeLink:
		return x.copyLink(name, archive.CleanName(h.Linkname))
	}

	return x.symlink(name, top, h.Linkname)
}

// stateRoot is the state folder or file that name belongs to.
func (x *extraction) stateRoot(name string) (string, bool) {
	for at := name; at != "." && at != "/"; at = path.Dir(at) {
		if IsStateItem(at, x.below, x.items) {
			return at, true
		}
	}
	return "", false
}

func (x *extraction) write(rel string, r io.Reader) error {
	f, err := x.root.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		return errors.Join(err, f.Close())
	}
	x.out.Files++
	return disk.FinishFile(f, rel)
}

// copyLink writes a hard link as a file of its own, as NemoClaw does (tar --hard-dereference).
func (x *extraction) copyLink(name, target string) error {
	rel, inside := strings.CutPrefix(target, x.below+"/")
	if inside {
		f, err := x.root.Open(rel)
		if err == nil {
			return errors.Join(x.write(strings.TrimPrefix(name, x.below+"/"), f), f.Close())
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return x.skip(name, "hard link to "+archive.Printable(target)+", which is not state")
}

// symlink writes links that stay in their state folder: NemoClaw throws a snapshot away that has others.
func (x *extraction) symlink(name, top, target string) error {
	if name == top {
		return x.skip(name, "a symbolic link in place of state")
	}
	if path.IsAbs(target) || !strings.HasPrefix(path.Join(path.Dir(name), target)+"/", top+"/") {
		return x.skip(name, "symbolic link out of "+archive.Printable(top))
	}
	return x.root.Symlink(target, strings.TrimPrefix(name, x.below+"/"))
}

func (x *extraction) skip(name, reason string) error {
	x.out.Skipped = append(x.out.Skipped, *archive.LeftOut(name, archive.LeftOutOther, reason))
	return nil
}

func (x *extraction) manifest(m *archive.Manifest, o SnapshotRequest) Snapshot {
	slices.Sort(x.dirs)
	snap := Snapshot{
		Version: 1, SandboxName: m.Sandbox, Timestamp: filepath.Base(x.out.Dir), AgentType: cmp.Or(m.Agent, "openclaw"),
		Dir: path.Join(cmp.Or(m.Home, "/sandbox"), x.below), StateDirs: append([]string{}, x.dirs...), BackedUpDirs: append([]string{}, x.dirs...),
		FailedDirs: []string{}, StateFiles: []SnapshotFile{}, BackupPath: x.out.Dir, PolicyPresets: orEmptyList(o.PolicyPresets), CustomPolicies: o.CustomPolicies,
	}
	if m.Versions.Agent != "" {
		snap.AgentVersion = &m.Versions.Agent
	}
	for _, file := range x.files {
		strategy := "copy"
		if strings.HasSuffix(file, ".db") {
			strategy = "sqlite_backup"
		}
		snap.StateFiles = append(snap.StateFiles, SnapshotFile{file, strategy})
	}

	return snap
}

// orEmptyList: the list of presets is required by NemoClaw's reader.
func orEmptyList(list json.RawMessage) json.RawMessage {
	if list == nil {
		return json.RawMessage("[]")
	}
	return list
}

// time is when the snapshot was taken, as its name says.
func (s Snapshot) time() (time.Time, error) {
	at := strings.LastIndexByte(s.Timestamp, '-')
	if at < 0 {
		return time.Time{}, fmt.Errorf("snapshot time %q is not like %s", s.Timestamp, "2026-06-26T12-34-56-789Z")
	}
	return time.Parse(snapshotTime, s.Timestamp[:at]+"."+s.Timestamp[at+1:])
}
