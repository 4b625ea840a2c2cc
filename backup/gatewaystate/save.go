// Package gatewaystate answers one question: how are a gateway's own files saved and put back? They are put back only
// while that gateway is stopped, all or none.
package gatewaystate

import (
	"archive/tar"
	"bytes"
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
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/gateway"
	"sandkeeper/internal/database"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/pattern"
	"sandkeeper/internal/private"
)

// GatewayInventory is what the manifest of a gateway's state has as its inventory.
const GatewayInventory = "gateway-state"

// Bounds of a gateway's configuration: what is larger is not one.
const (
	maxStateFile  = 16 << 20
	maxStateFiles = 5000
)

// Saving says whose state to save, and how.
type Saving struct {
	Store      *store.Store // that of the sandboxes
	Name       string
	Home       string // of the user: links in it are not followed out of it
	Places     []gateway.Place
	Extra      map[string][]byte // further files by their name in the backup: exported provider profiles
	Versions   archive.Versions
	Label      string
	Recipients []string
	Plain      bool     // credentials may be written in plain text wherever the store is
	Skipped    []string // checks that were skipped

	Launch *archive.Launch // how the gateway that runs was started by hand; nil when that is not known
}

// State is what became of saving a gateway's state.
type State struct {
	Gateway string              `json:"gateway"`
	Status  string              `json:"status"` // backed_up, failed, skipped
	Reason  string              `json:"reason"`
	Backup  *store.Saved        `json:"backup"`
	Omitted []archive.Exclusion `json:"omitted,omitempty"`

	Warnings []string `json:"warnings,omitempty"`
}

// Save saves what it takes to build a gateway again. It never fails a run: what went wrong is in the result.
func Save(ctx context.Context, r Saving) State {
	result := State{Gateway: r.Name, Status: string(store.Skipped)}
	if !slices.ContainsFunc(r.Places, there) {
		result.Reason = "nothing of it is on this host"
		return result
	}
	var unfinished []string
	b, err := r.save(ctx, &unfinished)
	if err != nil {
		result.Status, result.Reason = string(store.Failed), err.Error()
		return result
	}
	result.Status, result.Backup, result.Omitted = string(store.BackedUp), store.SavedOf(b, len(b.Manifest.Exclusions)), b.Manifest.Exclusions
	for _, path := range unfinished {
		result.Warnings = append(result.Warnings,
			path+" has a transaction that did not end. It is saved as it lies, with its journal; the gateway takes the transaction back when it starts")
	}
	for _, x := range result.Omitted {
		if x.Path == databaseName {
			result.Status, result.Reason = string(store.Failed), "its database is not saved: "+x.Reason
		}
	}

	return result
}

// layoutName is the file in which a gateway's state says where each part of it was on its host.
const layoutName = "layout.json"

// databaseName is where the database is in a gateway's state. The journal of a transaction that did not end is beside
// it.
const (
	databaseName    = "database/openshell.db"
	databaseJournal = "-journal"
)

func there(p gateway.Place) bool {
	_, err := os.Lstat(p.Path)
	return err == nil
}

func (r Saving) save(ctx context.Context, unfinished *[]string) (b store.Backup, err error) {
	st := r.Store.Gateways()
	lock, err := st.Lock("backup-all")
	if err != nil {
		return store.Backup{}, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	exposed := r.exposed(st)
	m := archive.Manifest{
		Sandbox: r.Name, Gateway: r.Name, Inventory: GatewayInventory, Home: r.Home, Label: r.Label, Versions: r.Versions,
		Consistency: archive.ConsistencyLive, ConsistencyReason: "the database is one committed state; the other files are read as they are", SkippedChecks: r.Skipped, Launch: r.Launch,
	}
	if exposed != nil {
		m.Secrets = archive.SecretsExclude
	}
	b, err = st.Create(ctx, store.NewBackup{Manifest: m, Recipients: r.Recipients}, func(ctx context.Context, a *archive.Archive) error {
		return stateWriter{Saving: r, ctx: ctx, archive: a, exposed: exposed, unfinished: unfinished}.write()
	})
	if err != nil {
		return b, err
	}
	return b, st.Verify(ctx, b, true)
}

// exposed says why credentials cannot be written: they would lie in plain text where others can read them. In a folder
// that only its owner can look into, on a disk of this host, they are as safe as beside the gateway itself.
func (r Saving) exposed(st *store.Store) error {
	if len(r.Recipients) > 0 || r.Plain {
		return nil
	}
	return private.Folder(st.Root(), os.Geteuid())
}

// stateWriter adds a gateway's state to an archive.
type stateWriter struct {
	Saving
	ctx     context.Context
	archive *archive.Archive
	exposed error // why credentials are left out; nil saves them

	unfinished *[]string // databases with a transaction that did not end
}

func (w stateWriter) write() error {
	layout := map[string]string{}
	for _, p := range w.Places {
		if !there(p) {
			w.missing(p)
			continue
		}
		layout[p.Name] = p.Path
		if err := w.place(p); err != nil {
			return err
		}
	}

	for _, name := range sortedKeys(w.Extra) {
		if err := w.file(name, w.Extra[name]); err != nil {
			return err
		}
	}

	content, err := json.MarshalIndent(layout, "", "  ")
	if err != nil {
		return err
	}
	return w.file(layoutName, append(content, '\n'))
}

// missing lists a database that is not there: without it a gateway's state is none.
func (w stateWriter) missing(p gateway.Place) {
	if p.Database {
		w.archive.Omit(p.Name, cmp.Or(p.Why, "there is no file "+p.Path))
	}
}

func (w stateWriter) place(p gateway.Place) error {
	switch {
	case p.Database:
		return w.database(p)
	case p.Tree:
		return w.tree(p)
	}
	return w.path(p, p.Name, p.Path)
}

// path adds one file. One that cannot be read costs only itself. A credential is listed instead, where it would be
// exposed.
func (w stateWriter) path(p gateway.Place, name, at string) error {
	f, info, err := homefile.Open(w.Home, at)
	if err != nil {
		w.archive.Omit(name, err.Error())
		return nil
	}
	defer f.Close()
	if p.Programs {
		return w.archive.Add(stateHeader(name, info), f)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxStateFile+1))
	switch {
	case err == nil && len(content) > maxStateFile:
		err = homefile.ErrTooLarge
	case err == nil && w.exposed != nil && (p.Secret || gateway.SecretFile(name, content)):
		w.leaveOut(name, "a credential of the gateway")
		return nil
	}

	if err != nil {
		w.archive.Omit(name, err.Error())
		return nil
	}
	h := stateHeader(name, info)
	h.Size = int64(len(content))
	return w.archive.Add(h, bytes.NewReader(content))
}

// leaveOut lists what would be exposed.
func (w stateWriter) leaveOut(name, what string) {
	w.archive.Exclusions = append(w.archive.Exclusions, *archive.LeftOut(name, archive.LeftOutCredential,
		fmt.Sprintf("%s, and %v; --encrypt-to saves it, encrypted", what, w.exposed)))
}

func stateHeader(name string, info fs.FileInfo) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: time.Unix(0, 0)}
}

func (w stateWriter) file(name string, content []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: time.Unix(0, 0)}
	return w.archive.Add(h, bytes.NewReader(content))
}

// leftover are the names of what restores of gateways' states keep beside what they put in place. A gateway has no use
// for them.
var leftover = pattern.Of(`\.((before|after)-|sandkeeper-)[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}(\.new|-wal|-shm|-journal)?$`)

func (w stateWriter) tree(p gateway.Place) error {
	count := 0
	return filepath.WalkDir(p.Path, func(at string, e fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(p.Path, at)
		name := path.Join(p.Name, filepath.ToSlash(rel))
		switch {
		case err != nil || relErr != nil:
			w.archive.Omit(name, errors.Join(err, relErr).Error())
			return nil
		case e.IsDir():
			return nil
		case !e.Type().IsRegular():
			w.archive.Omit(name, "not a regular file")
			return nil
		case leftover().MatchString(e.Name()):
			w.archive.Omit(name, "an earlier restore kept it here; the gateway does not use it")
			return nil
		}

		if count++; count > maxStateFiles {
			w.archive.Omit(name, fmt.Sprintf("%s has more than %d files", p.Path, maxStateFiles))
			return fs.SkipAll
		}
		return w.path(p, name, at)
	})
}

// database adds one state of a database that may be in use. Whatever its gateway's version, it holds what sandboxes
// were given: values of environment variables, tokens.
func (w stateWriter) database(p gateway.Place) error {
	if w.exposed != nil {
		w.leaveOut(p.Name, "it holds credentials")
		return nil
	}
	saved, err := database.Save(w.ctx, p.Path)
	if err != nil {
		if context.Cause(w.ctx) != nil {
			return err
		}
		w.archive.Omit(p.Name, err.Error())
		return nil
	}

	defer saved.Close()
	if err := w.copied(p.Name, saved.Main); err != nil || saved.Journal == nil {
		return err
	}
	*w.unfinished = append(*w.unfinished, p.Path)
	return w.copied(p.Name+databaseJournal, saved.Journal)
}

func (w stateWriter) copied(name string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return w.archive.Add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: info.Size(), ModTime: time.Unix(0, 0)}, f)
}

func sortedKeys(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// States is what became of the state of every gateway of a run: the one most in need of attention, and the others.
type States struct {
	State
	Others []State `json:"others,omitempty"`
}

// Collect puts failed ones first; nil for none.
func Collect(states []State) *States {
	if len(states) == 0 {
		return nil
	}
	sorted := slices.Clone(states)
	slices.SortStableFunc(sorted, func(a, b State) int { return rank(a) - rank(b) })
	return &States{State: sorted[0], Others: sorted[1:]}
}

func rank(s State) int {
	return slices.Index([]string{string(store.Failed), string(store.BackedUp), string(store.Skipped)}, s.Status)
}
