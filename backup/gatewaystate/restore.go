package gatewaystate

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/gateway"
)

// Restoring says which state to put back, and where.
type Restoring struct {
	Store      *store.Store // that of the sandboxes
	Backup     store.Backup
	Identities archive.Identities
	Places     []gateway.Place             // where the state belongs on this host
	Stopped    func(context.Context) error // why the gateway may be running; asked again just before anything is put in place
	DryRun     bool

	// Journal is the folder of the journal of restores (RestoringDir). Without it a restore that is killed is not taken
	// back.
	Journal string

	step func() // tests: called before every change of a file
}

// Restored is what became of it.
type Restored struct {
	Gateway  string              `json:"gateway"`
	Backup   string              `json:"backup"`
	DryRun   bool                `json:"dryRun,omitempty"`
	Done     bool                `json:"done"`
	Restored []string            `json:"restored"` // paths that were put in place, or would be
	Kept     []string            `json:"kept"`     // what was there before, aside under these names
	Missing  []archive.Exclusion `json:"missing"`  // what the backup does not have
	Ignored  []string            `json:"ignored"`  // entries of the backup that have no place on this host
}

// Restore puts a gateway's state back while that gateway is stopped. The backup is verified to its last byte first. All
// files are written beside their places, then put in place one after the other; what was there is kept aside, and comes
// back when one of them cannot be put in place, or, by the journal and Recover, when this process is killed
// meanwhile.
func Restore(ctx context.Context, r Restoring) (result Restored, err error) {
	result = Restored{Gateway: r.Backup.Sandbox, Backup: r.Backup.ID, DryRun: r.DryRun, Restored: []string{}, Kept: []string{}, Missing: []archive.Exclusion{}, Ignored: []string{}}
	st := r.Store.Gateways()
	if err := r.Stopped(ctx); err != nil {
		return result, &RunningError{Err: err}
	}
	if err := st.Prove(ctx, r.Backup, r.Identities); err != nil {
		return result, err
	}
	m, err := st.Load(r.Backup, r.Identities)
	if err == nil {
		err = r.databaseHasPlace(m)
	}
	if err != nil {
		return result, err
	}
	result.Missing = append(result.Missing, m.Exclusions...)
	put, err := r.placing(ctx, &result)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, put.close()) }()
	if err := r.place(ctx, m, put); err != nil {
		return result, errors.Join(err, put.discard())
	}
	result.Done = !r.DryRun
	return result, put.end()
}

// databaseHasPlace gives an error when the backup has a database and where it belongs cannot be told.
func (r Restoring) databaseHasPlace(m *archive.Manifest) error {
	has, err := m.Index.Has(databaseName)
	if err != nil {
		return err
	}
	for _, p := range r.Places {
		if has && p.Database && p.Path == "" {
			return fmt.Errorf("where its database belongs cannot be told: %s; set OPENSHELL_DB_URL, and OPENSHELL_SERVER_PORT to the gateway's port, to what the gateway is started with", p.Why)
		}
	}
	return nil
}

// place stages every file and puts all of them in place, or none.
func (r Restoring) place(ctx context.Context, m *archive.Manifest, put *placing) error {
	if err := r.stage(ctx, m, put); err != nil || r.DryRun {
		return err
	}
	if err := r.Stopped(ctx); err != nil { // it may have been started while the backup was read
		return &RunningError{Err: err}
	}
	return put.commit()
}

// RunningError says that a gateway's state cannot be put back under it.
type RunningError struct{ Err error }

// Error says what was seen.
func (e *RunningError) Error() string {
	return "its state is put back only while it is stopped: " + e.Err.Error()
}

// Unwrap gives what was seen.
func (e *RunningError) Unwrap() error { return e.Err }

// stage writes every entry beside its place.
func (r Restoring) stage(ctx context.Context, m *archive.Manifest, put *placing) error {
	if err := put.plan(m, r.Places); err != nil {
		return err
	}
	reader, err := archive.Open(ctx, r.Backup.Dir, m, archive.OpenOptions{Identities: r.Identities})
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		h, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && h.Name == layoutName {
			err = r.checkLayout(reader)
		}
		if err != nil {
			return err
		}
		place, known := placeOf(r.Places, archive.CleanName(h.Name))
		if !known || h.Typeflag != tar.TypeReg {
			if h.Name != layoutName && h.Typeflag == tar.TypeReg {
				put.result.Ignored = append(put.result.Ignored, archive.Printable(h.Name))
			}
			continue
		}

		if err := put.stage(place, h.FileInfo().Mode().Perm(), reader); err != nil {
			return err
		}
	}
}

// checkLayout refuses when the database that was saved is another file than the one that would be replaced, and both
// are on this host: then the gateway that was saved was started with another one than its next start would open.
func (r Restoring) checkLayout(content io.Reader) error {
	var layout map[string]string
	if err := json.NewDecoder(content).Decode(&layout); err != nil {
		return fmt.Errorf("the backup's %s is not readable: %w", layoutName, err)
	}
	saved, err := os.Stat(layout[databaseName])
	if err != nil {
		return nil // not on this host, or not any more
	}
	for _, p := range r.Places {
		if !p.Database {
			continue
		}
		if now, err := os.Stat(p.Path); err != nil || !os.SameFile(saved, now) {
			return fmt.Errorf("its database was saved from %s, which is there, and the gateway's next start would open %s: start the gateway with the one that it uses, or move the other one away",
				layout[databaseName], p.Path)
		}
	}

	return nil
}

// placeOf is the path on this host for an entry; none for a name that would lead out of its place.
func placeOf(places []gateway.Place, name string) (string, bool) {
	for _, p := range places {
		if p.Path == "" {
			continue
		}
		if !p.Tree && name == p.Name {
			return p.Path, true
		}
		if p.Database && name == p.Name+databaseJournal {
			return p.Path + databaseJournal, true
		}
		if rest, inside := strings.CutPrefix(name, p.Name+"/"); p.Tree && inside && filepath.IsLocal(rest) {
			return filepath.Join(p.Path, rest), true
		}
	}
	return "", false
}
