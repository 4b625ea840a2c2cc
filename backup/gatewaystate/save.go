// Package gatewaystate answers one question: how are a gateway's own files saved and put back? They are put back only
// while that gateway is stopped, all or none.
package gatewaystate

import (
	"context"
	"errors"
	"os"
	"slices"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/gateway"
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
