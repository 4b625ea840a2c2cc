package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/sandboxname"
)

// Latest names the newest whole backup of a sandbox. Copies of what a restore replaced (LabelBeforeRestore) count only
// where there is nothing else: whoever restores "latest" twice wants the same content twice, not what the first restore
// took away.
const Latest = "latest"

// maxManifest bounds what is read of a manifest.
const maxManifest = 512 << 20

// Backup is one backup of the store.
type Backup struct {
	ID       string
	Sandbox  string
	Dir      string
	Manifest *archive.Manifest // without its index (see Store.Load); nil when damaged
	Damage   error             // why the manifest cannot be believed; nil when it can
	Verified *Verified         // the last successful verification of these very bytes; nil when there was none
}

// Whole reports whether the manifest can be believed. Only Verify proves the archive as well.
func (b Backup) Whole() bool { return b.Damage == nil && b.Manifest != nil }

// Time is when the backup was started, as its id says.
func (b Backup) Time() time.Time {
	at, _ := archive.IdTime(b.ID) // listed folders have valid ids only
	return at
}

// ArchivePath is the file that holds the content.
func (b Backup) ArchivePath() string { return filepath.Join(b.Dir, b.Manifest.Archive.File) }

// NotFoundError says that a sandbox has no such backup.
type NotFoundError struct {
	Sandbox, ID string
	Gateway     bool     // Sandbox is the name of a gateway, whose own state was saved
	Matches     []string // ids that an ambiguous ID could mean
	Damaged     int      // damaged backups that Latest passed over
	Err         error    // why nothing can have that name; nil when something could
}

// Error names sandbox and backup.
func (e *NotFoundError) Error() string {
	of := "sandbox"
	if e.Gateway {
		of = "gateway"
	}
	switch {
	case e.Err != nil:
		return fmt.Sprintf("%s %q has no backup: %v", of, e.Sandbox, e.Err)
	case len(e.Matches) > 0:
		return fmt.Sprintf("%s %q: %q could be %s", of, e.Sandbox, e.ID, strings.Join(e.Matches, " or "))
	case e.ID == Latest && e.Damaged > 0:
		return fmt.Sprintf("%s %q has no whole backup; %d damaged", of, e.Sandbox, e.Damaged)
	case e.ID == Latest:
		return fmt.Sprintf("%s %q has no backup", of, e.Sandbox)
	}
	return fmt.Sprintf("%s %q has no backup %q", of, e.Sandbox, e.ID)
}

// Is makes errors.Is(err, fs.ErrNotExist) true.
func (e *NotFoundError) Is(target error) bool { return target == fs.ErrNotExist }

// Series is the series of a backup whose manifest can be believed; of a damaged one only the name is known.
func (b Backup) Series() Series {
	if !b.Whole() {
		return Series{Name: b.Sandbox}
	}
	return SeriesOf(b.Manifest)
}

// Sandboxes lists the names of the sandboxes that have a folder in the store, sorted. No store is no sandboxes.
func (s *Store) Sandboxes() ([]string, error) {
	entries, err := s.readDir(s.root)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && sandboxname.CheckFolder(e.Name()) == nil {
			names = append(names, s.nameOf(e.Name()))
		}
	}

	slices.Sort(names)
	return slices.Compact(names), nil
}

// nameOf is the sandbox whose backups a folder holds. Its name may end like that of a further series: the manifest
// decides.
func (s *Store) nameOf(folder string) string {
	if !further().MatchString(folder) {
		return folder
	}
	ids, _ := s.ids(folder)
	for _, id := range ids {
		if b, err := s.look(folder, id); err == nil && b.Whole() {
			return b.Sandbox
		}
	}
	return folder
}

// Backups lists the backups of a name, of all series that have it, newest first, the damaged ones included.
func (s *Store) Backups(sandbox string) ([]Backup, error) {
	if err := sandboxname.CheckFolder(sandbox); err != nil {
		return nil, &NotFoundError{Sandbox: sandbox, Gateway: s.gateways, Err: err}
	}
	return s.all(sandbox)
}

// ids lists what has a backup's name in a folder of the store, newest first.
func (s *Store) ids(folder string) ([]string, error) {
	entries, err := s.readDir(s.folder(folder))
	if err != nil {
		return nil, fmt.Errorf("list backups in folder %q: %w", folder, err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && archive.ValidID(e.Name()) {
			ids = append(ids, e.Name())
		}
	}

	slices.Sort(ids)
	slices.Reverse(ids)
	return ids, nil
}

var errVanished = errors.New("removed meanwhile")

// look reads the facts of one backup. The only error is errVanished; what else is wrong is the backup's Damage.
func (s *Store) look(folder, id string) (Backup, error) {
	b := Backup{ID: id, Dir: filepath.Join(s.folder(folder), id)}
	m, err := readManifest(b, true)
	if err == nil && !belongs(folder, m) {
		err = archive.Damagef(archive.DamageSwapped, archive.ManifestName, "it belongs to backup %q of sandbox %q", m.ID, m.Sandbox)
	}
	if err != nil {
		if _, gone := os.Lstat(b.Dir); errors.Is(gone, fs.ErrNotExist) {
			return b, errVanished
		}
		b.Sandbox, b.Damage = further().ReplaceAllString(folder, ""), err
		return b, nil
	}

	b.Sandbox, b.Manifest = m.Sandbox, m
	b.Verified = readVerified(b)
	return b, nil
}

// Load reads the whole manifest of b, index included: ErrNoIdentity when that is encrypted and none of ids opens it.
func (s *Store) Load(b Backup, ids archive.Identities) (*archive.Manifest, error) {
	return loadManifest(b, ids, false)
}

// loadManifest is Load, of blocks only where they are if runsOnly says so.
func loadManifest(b Backup, ids archive.Identities, runsOnly bool) (*archive.Manifest, error) {
	m, err := readManifest(b, false)
	if err != nil || m.IndexFile == nil {
		return m, err
	}
	text, err := disk.ReadPlain(filepath.Join(b.Dir, m.IndexFile.File), maxManifest)
	if err != nil {
		return nil, &archive.DamageError{Kind: archive.DamageIndex, Object: m.IndexFile.File, Err: err}
	}
	return m, m.TakeIndex(text, ids, runsOnly)
}

// readManifest reads b's manifest and checks that it belongs where it lies.
func readManifest(b Backup, headOnly bool) (*archive.Manifest, error) {
	content, err := disk.ReadPlain(filepath.Join(b.Dir, archive.ManifestName), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, archive.Damagef(archive.DamageManifest, archive.ManifestName, "it is missing")
	}
	if err != nil {
		return nil, &archive.DamageError{Kind: archive.DamageManifest, Object: archive.ManifestName, Err: err}
	}
	m, err := archive.DecodeManifest(content, headOnly)
	if err != nil {
		return nil, err
	}
	if m.ID != b.ID || b.Sandbox != "" && m.Sandbox != b.Sandbox {
		return nil, archive.Damagef(archive.DamageSwapped, archive.ManifestName, "it belongs to backup %q of sandbox %q", m.ID, m.Sandbox)
	}
	if err := m.CheckFiles(); err != nil {
		return nil, err
	}
	return m, nil
}

// Find gives one backup: by id, by an unambiguous beginning of an id, or Latest, the newest whole one.
func (s *Store) Find(sandbox, id string) (Backup, error) {
	if err := sandboxname.CheckFolder(sandbox); err != nil {
		return Backup{}, &NotFoundError{Sandbox: sandbox, Gateway: s.gateways, ID: id, Err: err}
	}
	all, err := s.all(sandbox)
	if err != nil {
		return Backup{}, err
	}
	if id == Latest || id == "" {
		return s.latest(sandbox, all)
	}
	var matches []string
	all = slices.DeleteFunc(all, func(b Backup) bool { return !strings.HasPrefix(b.ID, id) })
	for _, b := range all {
		matches = append(matches, b.ID)
	}
	if len(matches) != 1 {
		return Backup{}, &NotFoundError{Sandbox: sandbox, Gateway: s.gateways, ID: id, Matches: matches}
	}
	return all[0], nil
}

func (s *Store) latest(sandbox string, list []Backup) (Backup, error) {
	missing := &NotFoundError{Sandbox: sandbox, Gateway: s.gateways, ID: Latest}
	var replaced *Backup
	for _, b := range list {
		switch {
		case !b.Whole():
			missing.Damaged++
		case b.Manifest.Label != archive.LabelBeforeRestore:
			return b, nil
		case replaced == nil:
			replaced = &b
		}
	}

	if replaced != nil {
		return *replaced, nil
	}
	return Backup{}, missing
}
