// Package gatewaystate answers one question: how are a gateway's own files saved and put back? They are put back only while that gateway
// is stopped, all or none.
package gatewaystate

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/gateway"
	"sandkeeper/internal/database"
	"sandkeeper/internal/homefile"
)

// GatewayInventory is what the manifest of a gateway's state has as its inventory.
const GatewayInventory = "gateway-state"

// Bounds of a gateway's configuration: what is larger is not one.
const (
	maxStateFile  = 16 << 20
	maxStateFiles = 5000
)

// SaveGateway says whose state to save, and how.
type SaveGateway struct {
	Store      *store.Store // that of the sandboxes
	Name       string
	Home       string // of the user: links in it are not followed out of it
	Places     []gateway.Place
	Extra      map[string][]byte // further files by their name in the backup: exported provider profiles
	Versions   archive.Versions
	Label      string
	Recipients []string
	Secrets    archive.SecretsPolicy // without Recipients: whether credentials are written in plain text
	Skipped    []string              // checks that were skipped
}

// GatewayState is what became of saving a gateway's state.
type GatewayState struct {
	Gateway string              `json:"gateway"`
	Status  string              `json:"status"` // backed_up, failed, skipped
	Reason  string              `json:"reason"`
	Backup  *store.Saved        `json:"backup"`
	Omitted []archive.Exclusion `json:"omitted,omitempty"`

	Warnings []string `json:"warnings,omitempty"`
}

// SaveGatewayState saves what it takes to build a gateway again. It never fails a run: what went wrong is in the result.
func SaveGatewayState(ctx context.Context, r SaveGateway) GatewayState {
	result := GatewayState{Gateway: r.Name, Status: string(store.Skipped)}
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

// databaseName is where the database is in a gateway's state. The journal of a transaction that did not end is beside it.
const (
	databaseName    = "database/openshell.db"
	databaseJournal = "-journal"
)

func there(p gateway.Place) bool {
	_, err := os.Lstat(p.Path)
	return err == nil
}

func (r SaveGateway) save(ctx context.Context, unfinished *[]string) (b store.Backup, err error) {
	st := r.Store.Gateways()
	lock, err := st.Lock("backup-all")
	if err != nil {
		return store.Backup{}, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	policy := r.Secrets
	if len(r.Recipients) > 0 {
		policy = archive.SecretsInclude
	}
	m := archive.Manifest{
		Sandbox: r.Name, Gateway: r.Name, Inventory: GatewayInventory, Home: r.Home, Label: r.Label, Versions: r.Versions,
		Consistency: archive.ConsistencyLive, ConsistencyReason: "the database is one committed state; the other files are read as they are", SkippedChecks: r.Skipped,
	}
	b, err = st.Create(ctx, store.NewBackup{Manifest: m, Secrets: policy, Recipients: r.Recipients}, func(ctx context.Context, a *archive.Archive) error {
		return stateWriter{SaveGateway: r, ctx: ctx, archive: a, plain: policy != archive.SecretsInclude, unfinished: unfinished}.write()
	})
	if err != nil {
		return b, err
	}
	return b, st.Verify(ctx, b, true)
}

// stateWriter adds a gateway's state to an archive.
type stateWriter struct {
	SaveGateway
	ctx     context.Context
	archive *archive.Archive
	plain   bool // credentials are left out

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
	return w.file("layout.json", append(content, '\n'))
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
	return w.path(p.Name, p.Path)
}

// path adds one file. One that cannot be read costs only itself; without the key of the credentials, or a token, it is listed.
func (w stateWriter) path(name, at string) error {
	if w.plain && gateway.SecretFile(name) {
		w.archive.Exclusions = append(w.archive.Exclusions,
			*archive.LeftOut(name, archive.LeftOutCredential, "a credential of the gateway; --encrypt-to saves it, encrypted"))
		return nil
	}
	content, err := homefile.Read(w.Home, at, maxStateFile)
	if err != nil {
		w.archive.Omit(name, err.Error())
		return nil
	}
	return w.file(name, content)
}

func (w stateWriter) file(name string, content []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: time.Unix(0, 0)}
	return w.archive.Add(h, strings.NewReader(string(content)))
}

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
		}
		if count++; count > maxStateFiles {
			w.archive.Omit(name, fmt.Sprintf("%s has more than %d files", p.Path, maxStateFiles))
			return fs.SkipAll
		}
		return w.path(name, at)
	})
}

// database adds one state of a database that may be in use.
func (w stateWriter) database(p gateway.Place) error {
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

// GatewayStates is what became of the state of every gateway of a run: the one most in need of attention, and the others.
type GatewayStates struct {
	GatewayState
	Others []GatewayState `json:"others,omitempty"`
}

// CollectGatewayStates puts failed ones first; nil for none.
func CollectGatewayStates(states []GatewayState) *GatewayStates {
	if len(states) == 0 {
		return nil
	}
	sorted := slices.Clone(states)
	slices.SortStableFunc(sorted, func(a, b GatewayState) int { return rank(a) - rank(b) })
	return &GatewayStates{GatewayState: sorted[0], Others: sorted[1:]}
}

func rank(s GatewayState) int {
	return slices.Index([]string{string(store.Failed), string(store.BackedUp), string(store.Skipped)}, s.Status)
}
