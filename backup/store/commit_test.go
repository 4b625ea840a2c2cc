package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"

	"filippo.io/age"
)

// faultDisk fails call number failAt with err and keeps a log of all calls. It also notices promises made too early: a rename of a
// folder with names or bytes in it that were not synced.
type faultDisk struct {
	disk.FS
	mu     sync.Mutex
	n      int
	failAt int
	err    error
	calls  []string
	dirty  map[string]bool // files with unsynced bytes, folders with unsynced names
	early  []string        // what became visible unsynced
	dead   bool            // no call succeeds after the one that fails, as after a kill
}

// fault is what happens at the n-th call of a disk: it fails or, as after a kill, no call succeeds from there on.
type fault struct {
	failAt int
	err    error
	dead   bool
}

func newFaultDisk(failAt int, err error) *faultDisk {
	return &faultDisk{FS: disk.Real{}, failAt: failAt, err: err, dirty: map[string]bool{}}
}

func (f *faultDisk) hit(call, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	f.calls = append(f.calls, call+" "+filepath.Base(name))
	if f.n == f.failAt || f.dead && f.failAt > 0 && f.n > f.failAt {
		return &os.PathError{Op: call, Path: name, Err: f.err}
	}
	return nil
}

func (f *faultDisk) mark(name string, dirty bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty[name] = dirty
}

func (f *faultDisk) Mkdir(name string) error {
	if err := f.hit("mkdir", name); err != nil {
		return err
	}
	f.mark(filepath.Dir(name), true)
	return f.FS.Mkdir(name)
}

func (f *faultDisk) Create(name string) (disk.File, error) {
	if err := f.hit("create", name); err != nil {
		return nil, err
	}
	f.mark(filepath.Dir(name), true)
	file, err := f.FS.Create(name)
	return &faultFile{file, f, name}, err
}

func (f *faultDisk) Link(from, to string) error {
	if err := f.hit("link", to); err != nil {
		return err
	}
	f.mark(filepath.Dir(to), true)
	return f.FS.Link(from, to)
}

func (f *faultDisk) Rename(from, to string) error {
	if err := f.hit("rename", to); err != nil {
		return err
	}
	f.mu.Lock()
	removed := strings.HasPrefix(filepath.Base(to), disk.StagingPrefix+"remove-") // what others need of it must be durable by now
	for name, dirty := range f.dirty {
		kept := removed && strings.HasPrefix(name, filepath.Join(filepath.Dir(from), archive.RetiredFolder))
		if dirty && (name == from || kept || strings.HasPrefix(name, from+"/")) {
			f.early = append(f.early, name)
		}
	}
	f.dirty[filepath.Dir(to)] = true
	f.mu.Unlock()
	return f.FS.Rename(from, to)
}

func (f *faultDisk) Remove(name string) error {
	if err := f.hit("remove", name); err != nil {
		return err
	}
	f.mark(name, false)
	return f.FS.Remove(name)
}

func (f *faultDisk) SyncDir(name string) error {
	if err := f.hit("syncdir", name); err != nil {
		return err
	}
	f.mark(name, false)
	return f.FS.SyncDir(name)
}

type faultFile struct {
	disk.File
	disk *faultDisk
	name string
}

func (f *faultFile) Write(p []byte) (int, error) {
	if err := f.disk.hit("write", f.name); err != nil {
		n, _ := f.File.Write(p[:len(p)/2]) // a full disk takes a part
		return n, err
	}
	f.disk.mark(f.name, true)
	return f.File.Write(p)
}

func (f *faultFile) Sync() error {
	if err := f.disk.hit("sync", f.name); err != nil {
		return err
	}
	f.disk.mark(f.name, false)
	return f.File.Sync()
}

func (f *faultFile) Close() error {
	if err := f.disk.hit("close", f.name); err != nil {
		return errors.Join(err, f.File.Close())
	}
	return f.File.Close()
}

// The ways to write a backup after another one: with some of its blocks, with all, with none.
func faultCases() map[string][]item {
	body := bulk(1, 3)
	return map[string][]item{
		"changed":   {folderItem("."), fileItem("bulk", body+"more")},
		"unchanged": {folderItem("."), fileItem("bulk", body)},
		"other":     {fileItem("else", body)},
	}
}

func TestCreateSurvivesEveryFailurePoint(t *testing.T) {
	t.Parallel()
	first := testStore(t, Options{})
	create(t, first, newOf("alpha"), faultCases()["unchanged"]...)
	whole := first.Root()
	for name, items := range faultCases() {
		errnos := []error{syscall.ENOSPC, syscall.EIO, syscall.EPERM}
		if testing.Short() {
			errnos = errnos[:1]
		}
		for _, errno := range errnos {
			t.Run(fmt.Sprintf("%s/%v", name, errno), func(t *testing.T) {
				for failAt := 1; !createFailing(t, whole, fault{failAt, errno, false}, items); failAt++ {
				}
				for failAt := 1; !createFailing(t, whole, fault{failAt, errno, true}, items); failAt++ {
				}
			})
		}
	}
}

// createFailing makes a second backup with call failAt failing, and reports whether no call failed any more.
func createFailing(t *testing.T, whole string, f fault, items []item) (done bool) {
	failAt, errno := f.failAt, f.err
	root := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(root, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	calm, err := Open(root, Options{UID: os.Getuid()})
	if err != nil {
		t.Fatal(err)
	}
	old, err := calm.Find("alpha", Latest)
	if err != nil {
		t.Fatal(err)
	}
	d := newFaultDisk(failAt, errno)
	d.dead = f.dead
	s, err := Open(root, Options{UID: os.Getuid(), Disk: d})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Create(t.Context(), newOf("alpha"), fillWith(items...))
	if d.n < failAt {
		if err != nil || len(d.early) > 0 {
			t.Errorf("without a fault: %v, visible unsynced: %v", err, d.early)
		}
		return true
	}
	if !errors.Is(err, errno) {
		t.Errorf("call %d (%s): cause lost: %v", failAt, d.calls[failAt-1], err)
	}
	list, err := calm.Backups("alpha")
	if err != nil || len(list) > 2 || !slices.ContainsFunc(list, func(b Backup) bool { return b.ID == old.ID }) {
		t.Errorf("call %d: old backup lost: %v, %v", failAt, list, err)
	}
	for _, b := range list {
		if err := calm.Verify(t.Context(), b, true); err != nil {
			t.Errorf("call %d (%s): %s: %v", failAt, d.calls[failAt-1], b.ID, err)
		}
	}
	if f.dead {
		lock, err := calm.Lock("test") // which sweeps
		if err == nil {
			err = lock.Unlock()
		}
		if err != nil {
			t.Errorf("call %d (%s): %v", failAt, d.calls[failAt-1], err)
		}
	}
	if litter, _ := filepath.Glob(filepath.Join(root, "alpha", disk.StagingPrefix+"*")); len(litter) > 0 {
		t.Errorf("call %d (%s): litter %v", failAt, d.calls[failAt-1], litter)
	}
	return false
}

func TestFirstCreateSyncsEveryNameItPromises(t *testing.T) {
	d := newFaultDisk(0, nil)
	s := testStore(t, Options{Disk: d})
	create(t, s, newOf("alpha"), sampleHome()...)
	for name, dirty := range d.dirty {
		if dirty {
			t.Errorf("%s was never synced", name)
		}
	}
	if len(d.early) > 0 {
		t.Errorf("visible before it was durable: %v", d.early)
	}
	manifest := slices.Index(d.calls, "create "+archive.ManifestName)
	if archive := slices.Index(d.calls, "sync "+archive.ArchiveName); archive < 0 || manifest < archive {
		t.Errorf("the manifest was not written last: %v", d.calls)
	}
}

// pruneCases are histories of three backups: what is kept of the oldest one when it is removed.
func pruneCases() map[string][3][]item {
	one, two, three := fileItem("one", bulk(1, 1)[:150<<10]), fileItem("two", bulk(2, 1)[:400<<10]), fileItem("three", bulk(3, 1)[:9<<10])
	return map[string][3][]item{
		"nothing":        {{folderItem("."), one}, {folderItem("."), two}, {folderItem("."), three}},
		"most of it":     {{folderItem("."), one, two}, {folderItem("."), two, three}, {folderItem("."), two}},
		"less than half": {{folderItem("."), one, two}, {folderItem("."), one}, {folderItem("."), one, three}},
	}
}

// A removal that fails, or is killed, at any call costs no other backup anything, and the next one completes it.
func TestRemoveSurvivesEveryFailurePoint(t *testing.T) {
	t.Parallel()
	eachPruning(t, func(t *testing.T, homes [3][]item, f fault) {
		p := pruning{homes: homes}
		p.make(t)
		for f.failAt = 1; !p.removeFailing(t, f); f.failAt++ {
		}
	})
}

// The same of an encrypted series, with the key that tells what of a pack is needed, and without it: at every fifth
// call, and at each in make soak.
func TestRemoveOfEncryptedBackupsSurvivesEveryFailurePoint(t *testing.T) {
	t.Parallel()
	stride := 5
	if _, soak := os.LookupEnv("SANDKEEPER_SOAK"); soak {
		stride = 1
	}
	identity := newIdentity(t)
	for name, ids := range map[string]archive.Identities{"without the key": nil, "with the key": {identity}} {
		t.Run(name, func(t *testing.T) {
			eachPruning(t, func(t *testing.T, homes [3][]item, f fault) {
				p := pruning{homes: homes, to: identity, ids: ids}
				p.make(t)
				for f.failAt = 1; !p.removeFailing(t, f); f.failAt += stride {
				}
			})
		})
	}
}

// eachPruning tries every case of a removal with every kind of fault.
func eachPruning(t *testing.T, try func(*testing.T, [3][]item, fault)) {
	for name, homes := range pruneCases() {
		for _, dead := range []bool{false, true} {
			for _, errno := range []error{syscall.EIO, syscall.ENOSPC, syscall.EPERM} {
				t.Run(fmt.Sprintf("%s/killed %v/%v", name, dead, errno), func(t *testing.T) {
					try(t, homes, fault{0, errno, dead})
				})
				if testing.Short() {
					break
				}
			}
		}
	}
}

// pruning is a store of three backups, of which the older ones are removed.
type pruning struct {
	homes [3][]item
	whole string              // a folder with the store, to be copied
	to    *age.X25519Identity // nil: not encrypted
	ids   archive.Identities  // what the removal has
}

func (p *pruning) make(t *testing.T) {
	s := testStore(t, Options{Keys: filepath.Join(t.TempDir(), "keys")})
	for _, home := range p.homes {
		n := newOf("alpha")
		if p.to != nil {
			n.Recipients = []string{p.to.Recipient().String()}
		}
		create(t, s, n, home...)
	}
	p.whole = s.Root()
}

// reads are the keys that prove content.
func (p *pruning) reads() archive.Identities {
	if p.to == nil {
		return nil
	}
	return archive.Identities{p.to}
}

// removeFailing removes the oldest backup, and what is needed of it from a second one later, with a call failing; done reports that no
// call failed any more.
func (p *pruning) removeFailing(t *testing.T, f fault) (done bool) {
	root := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(root, os.DirFS(p.whole)); err != nil {
		t.Fatal(err)
	}
	d := newFaultDisk(f.failAt, f.err)
	d.dead = f.dead
	s, err := Open(root, Options{UID: os.Getuid(), Disk: d})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Backups("alpha")
	if err != nil || len(list) != 3 {
		t.Fatalf("%v, %v", list, err)
	}
	err = s.Remove(t.Context(), list[2], p.ids)
	if err == nil {
		err = s.Remove(t.Context(), list[1], p.ids)
	}
	if err == nil {
		_, err = s.Collect(t.Context(), p.ids)
	}
	if done = d.n < f.failAt; done && (err != nil || len(d.early) > 0) {
		t.Errorf("without a fault: %v, visible unsynced: %v", err, d.early)
	}
	if err != nil && !errors.Is(err, f.err) {
		t.Errorf("call %d (%s): cause lost: %v", f.failAt, d.calls[f.failAt-1], err)
	}
	p.assertPruned(t, root, fmt.Sprintf("call %d of %v", f.failAt, d.calls))
	return done
}

// assertPruned proves that what is left of three backups is whole, completes the removal, and looks for litter.
func (p *pruning) assertPruned(t *testing.T, root, when string) {
	t.Helper()
	calm, err := Open(root, Options{UID: os.Getuid()})
	if err != nil {
		t.Fatal(err)
	}
	prove := func() []Backup {
		list, err := calm.Backups("alpha")
		if err != nil || len(list) == 0 || len(list) > 3 {
			t.Fatalf("%s: %d backups, %v", when, len(list), err)
		}
		for i, b := range list {
			for _, ids := range []archive.Identities{nil, p.reads()} {
				if _, err := calm.VerifyWith(t.Context(), b, VerifyOptions{ReadData: true, Identities: ids}); err != nil {
					t.Errorf("%s: %s: %v", when, b.ID, err)
				}
			}
			if i == 0 {
				assertOpened(t, calm, b, p.homes[2], p.reads())
			}
		}
		return list
	}
	prove()
	lock, err := calm.Lock("test")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range prove()[1:] {
		if err := calm.Remove(t.Context(), b, p.ids); err != nil {
			t.Fatalf("%s: again: %v", when, err)
		}
	}
	_, err = calm.Collect(t.Context(), p.ids)
	if err := errors.Join(err, lock.Unlock()); err != nil {
		t.Fatalf("%s: again: %v", when, err)
	}
	prove()
	litter, _ := filepath.Glob(filepath.Join(root, "alpha", disk.StagingPrefix+"*"))
	more, _ := filepath.Glob(filepath.Join(root, "alpha", archive.RetiredFolder, disk.StagingPrefix+"*"))
	if len(litter)+len(more) > 0 {
		t.Errorf("%s: litter %v %v", when, litter, more)
	}
}
