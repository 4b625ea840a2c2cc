package gatewaystate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/gateway"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/journal"
)

// placing is the files of a gateway's state on their way into place. Its record is ours until close; without a journal
// it only remembers.
type placing struct {
	record *journal.Record[journal.StateRestore] // nil: nothing is written
	entry  stateFiles
	result *Restored
	dry    bool
	step   func()
}

// placing takes the gateway's record, and takes back what a killed restore has left. A restore that lives is left
// alone: *journal.HeldError.
func (r Restoring) placing(ctx context.Context, result *Restored) (*placing, error) {
	p := &placing{result: result, dry: r.DryRun, step: r.step}
	p.entry.StateRestore = journal.StateRestore{Gateway: r.Backup.Sandbox, Backup: r.Backup.ID, At: time.Now().UTC().Truncate(time.Second)}
	if p.step == nil {
		p.step = func() {}
	}
	if r.Journal == "" || r.DryRun {
		return p, nil
	}
	var err error
	if p.record, err = journal.StateRestores(r.Journal).Own(ctx, p.entry.Key()); err != nil {
		return nil, fmt.Errorf("a restore of the state of gateway %q cannot begin: %w", p.entry.Gateway, err)
	}
	if p.record.Found { // the gateway is stopped: that was asked before this
		if err := (stateFiles{p.record.Value}).rollBack(p.step); err != nil {
			return nil, errors.Join(err, p.record.Close())
		}
	}

	return p, nil
}

// plan notes which places the backup has files for, before any of them is written beside.
func (p *placing) plan(m *archive.Manifest, places []gateway.Place) error {
	var err error
	for e := range m.Index.All(&err) {
		if place, known := placeOf(places, e.Name()); known && e.Type == "file" {
			p.entry.Files = append(p.entry.Files, place)
		}
	}

	if err != nil {
		return err
	}
	if err := p.noteFolders(); err != nil {
		return err
	}
	return p.write()
}

// noteFolders notes which folders will be made for the files.
func (p *placing) noteFolders() error {
	if p.dry {
		return nil
	}
	for _, path := range p.entry.Files {
		for dir := filepath.Dir(path); !slices.Contains(p.entry.Made, dir); dir = filepath.Dir(dir) {
			there, err := exists(dir)
			if err != nil {
				return fmt.Errorf("put back %s: %w", path, err)
			}
			if there {
				break
			}
			p.entry.Made = append(p.entry.Made, dir)
		}
	}

	// The longer path is never that of the folder around the other one.
	slices.SortFunc(p.entry.Made, func(a, b string) int { return len(b) - len(a) })
	return nil
}

func (p *placing) write() error {
	if p.record == nil {
		return nil
	}
	p.step()
	if err := p.record.Put(p.entry.StateRestore); err != nil {
		return fmt.Errorf("the restore could not be journalled: %w", err)
	}
	return nil
}

// stage writes one file beside its place. Its time of last change is the entry's, by which it is known from what is
// written later: what a clock says is not enough, for a file system's is coarse.
func (p *placing) stage(path string, mode fs.FileMode, content io.Reader) error {
	p.result.Restored = append(p.result.Restored, path)
	if p.dry {
		return nil
	}
	p.step()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("put back %s: %w", path, err)
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("put back %s: something that is not a file is in its place", path)
	}
	switch kept, err := exists(p.entry.aside(path)); {
	case err != nil:
		return fmt.Errorf("put back %s: %w", path, err)
	case kept:
		return fmt.Errorf("put back %s: an earlier restore of this backup has kept %s; move it away first", path, p.entry.aside(path))
	}

	fresh := p.entry.fresh(path)
	if err := disk.IgnoreMissing(os.Remove(fresh)); err != nil {
		return err
	}
	f, err := disk.Real{}.Create(fresh)
	if err != nil {
		return fmt.Errorf("put back %s: %w", path, err)
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, os.Chmod(fresh, mode&^0o022), os.Chtimes(fresh, p.entry.At, p.entry.At), f.Sync(), f.Close())
}

// commit moves what is there aside and what is new in place; what a database has beside it goes with it. Before the
// first of these steps the journal says what was there.
func (p *placing) commit() error {
	if err := p.noteOld(); err != nil {
		return err
	}
	p.entry.Placing = true
	if err := p.write(); err != nil {
		return err
	}
	for _, path := range p.entry.Files {
		if err := p.exchange(path); err != nil {
			return err
		}
	}

	for _, old := range p.entry.Had {
		p.result.Kept = append(p.result.Kept, p.entry.aside(old))
	}
	return nil
}

func (p *placing) noteOld() error {
	for _, path := range p.entry.Files {
		for _, old := range p.entry.family(path) {
			had, err := exists(old)
			if err != nil {
				return err
			}
			if had {
				p.entry.Had = append(p.entry.Had, old)
			}
		}
	}
	return nil
}

func (p *placing) exchange(path string) error {
	for _, old := range p.entry.family(path) {
		if !slices.Contains(p.entry.Had, old) {
			continue
		}
		p.step()
		if err := os.Rename(old, p.entry.aside(old)); err != nil {
			return fmt.Errorf("keep %s aside: %w", old, err)
		}
	}

	p.step()
	if err := os.Rename(p.entry.fresh(path), path); err != nil {
		return fmt.Errorf("put back %s: %w", path, err)
	}
	return (disk.Real{}).SyncDir(filepath.Dir(path))
}

// family is path with what SQLite keeps beside it: what is moved together. A journal that is put back with its database
// is of the database's family and has none.
func (e stateFiles) family(path string) []string {
	database, isJournal := strings.CutSuffix(path, databaseJournal)
	if isJournal && slices.Contains(e.Files, database) {
		return nil
	}
	return journal.WithSidecars(path)
}

// discard makes everything as it was, after an error.
func (p *placing) discard() error {
	if p.dry {
		return nil
	}
	if err := p.entry.rollBack(p.step); err != nil {
		return err
	}
	return p.end()
}

// end takes the record away: the state is whole, new or old.
func (p *placing) end() error {
	if p.record == nil {
		return nil
	}
	p.step()
	return p.record.Remove()
}

// close gives the record up.
func (p *placing) close() error { return p.record.Close() }
