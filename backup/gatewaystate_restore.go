package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sandkeeper/gateway"
)

// RestoreGateway says which state to put back, and where.
type RestoreGateway struct {
	Store      *Store // that of the sandboxes
	Backup     Backup
	Identities Identities
	Places     []gateway.Place             // where the state belongs on this host
	Stopped    func(context.Context) error // why the gateway may be running; asked again just before anything is put in place
	DryRun     bool
}

// GatewayRestored is what became of it.
type GatewayRestored struct {
	Gateway  string      `json:"gateway"`
	Backup   string      `json:"backup"`
	DryRun   bool        `json:"dryRun,omitempty"`
	Done     bool        `json:"done"`
	Restored []string    `json:"restored"` // paths that were put in place, or would be
	Kept     []string    `json:"kept"`     // what was there before, aside under these names
	Missing  []Exclusion `json:"missing"`  // what the backup does not have
	Ignored  []string    `json:"ignored"`  // entries of the backup that have no place on this host
}

// RestoreGatewayState puts a gateway's state back while that gateway is stopped. The backup is verified to its last byte first. All
// files are written beside their places, then put in place one after the other; what was there is kept aside, and comes back when
// one of them cannot be put in place.
func RestoreGatewayState(ctx context.Context, r RestoreGateway) (GatewayRestored, error) {
	result := GatewayRestored{Gateway: r.Backup.Sandbox, Backup: r.Backup.ID, DryRun: r.DryRun, Restored: []string{}, Kept: []string{}, Missing: []Exclusion{}, Ignored: []string{}}
	store := r.Store.Gateways()
	if err := r.Stopped(ctx); err != nil {
		return result, &GatewayRunningError{Err: err}
	}
	done, err := store.VerifyWith(ctx, r.Backup, VerifyOptions{ReadData: true, Identities: r.Identities})
	if err != nil {
		return result, err
	}
	if !done.Decrypted {
		return result, ErrNoIdentity
	}
	result.Missing = append(result.Missing, r.Backup.Manifest.Exclusions...)
	put := &placing{id: r.Backup.ID, result: &result, dry: r.DryRun}
	defer put.discard()
	if err := r.stage(ctx, store, put); err != nil || r.DryRun {
		return result, err
	}
	if err := r.Stopped(ctx); err != nil { // it may have been started while the backup was read
		return result, &GatewayRunningError{Err: err}
	}
	if err := put.commit(); err != nil {
		return result, err
	}
	result.Done = true
	return result, nil
}

// GatewayRunningError says that a gateway's state cannot be put back under it.
type GatewayRunningError struct{ Err error }

// Error says what was seen.
func (e *GatewayRunningError) Error() string {
	return "its state is put back only while it is stopped: " + e.Err.Error()
}

// Unwrap gives what was seen.
func (e *GatewayRunningError) Unwrap() error { return e.Err }

// stage writes every entry beside its place.
func (r RestoreGateway) stage(ctx context.Context, store *Store, put *placing) error {
	m, err := store.Load(r.Backup)
	if err != nil {
		return err
	}
	reader, err := openArchive(ctx, r.Backup, m, OpenOptions{Identities: r.Identities})
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		h, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		place, known := placeOf(r.Places, cleanName(h.Name))
		if !known || h.Typeflag != tar.TypeReg {
			if h.Name != "layout.json" && h.Typeflag == tar.TypeReg {
				put.result.Ignored = append(put.result.Ignored, printable(h.Name))
			}
			continue
		}
		if err := put.stage(place, reader); err != nil {
			return err
		}
	}
}

// placeOf is the path on this host for an entry; none for a name that would lead out of its place.
func placeOf(places []gateway.Place, name string) (string, bool) {
	for _, p := range places {
		if !p.Tree && name == p.Name {
			return p.Path, true
		}
		if rest, inside := strings.CutPrefix(name, p.Name+"/"); p.Tree && inside && filepath.IsLocal(rest) {
			return filepath.Join(p.Path, rest), true
		}
	}
	return "", false
}

// placing is files on their way into place.
type placing struct {
	id     string
	dry    bool
	result *GatewayRestored
	files  []string // their places; what is new lies beside them
	moved  []string // what was moved aside, in order
	placed []string
}

func (p *placing) fresh(path string) string { return path + ".sandkeeper-" + p.id + ".new" }

func (p *placing) aside(path string) string { return path + ".before-" + p.id }

func (p *placing) stage(path string, content io.Reader) error {
	p.result.Restored = append(p.result.Restored, path)
	if p.dry {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("put back %s: %w", path, err)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("put back %s: something that is not a file is in its place", path)
	}
	if _, err := os.Lstat(p.aside(path)); err == nil {
		return fmt.Errorf("put back %s: an earlier restore of this backup has kept %s; move it away first", path, p.aside(path))
	}
	fresh := p.fresh(path)
	if err := ignoreMissing(os.Remove(fresh)); err != nil {
		return err
	}
	f, err := realDisk{}.Create(fresh)
	if err != nil {
		return fmt.Errorf("put back %s: %w", path, err)
	}
	p.files = append(p.files, path)
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Sync(), f.Close())
}

// commit moves what is there aside and what is new in place; what a database has beside it goes with it. On an error all of it is
// taken back.
func (p *placing) commit() (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, p.takeBack())
		}
	}()
	for _, path := range p.files {
		for _, old := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
			if err := p.moveAside(old); err != nil {
				return err
			}
		}
		if err := os.Rename(p.fresh(path), path); err != nil {
			return fmt.Errorf("put back %s: %w", path, err)
		}
		p.placed = append(p.placed, path)
		if err := (realDisk{}).SyncDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	for _, old := range p.moved {
		p.result.Kept = append(p.result.Kept, p.aside(old))
	}
	return nil
}

func (p *placing) moveAside(old string) error {
	err := os.Rename(old, p.aside(old))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep %s aside: %w", old, err)
	}
	p.moved = append(p.moved, old)
	return nil
}

func (p *placing) takeBack() error {
	var problems []error
	for _, path := range p.placed {
		problems = append(problems, ignoreMissing(os.Remove(path)))
	}
	for _, old := range p.moved {
		problems = append(problems, os.Rename(p.aside(old), old))
	}
	return errors.Join(problems...)
}

// discard takes away what was staged and not put in place.
func (p *placing) discard() {
	for _, path := range p.files {
		_ = os.Remove(p.fresh(path))
	}
}
