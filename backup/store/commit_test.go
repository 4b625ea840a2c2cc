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
}

func newFaultDisk(failAt int, err error) *faultDisk {
	return &faultDisk{FS: disk.Real{}, failAt: failAt, err: err, dirty: map[string]bool{}}
}

func (f *faultDisk) hit(call, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	f.calls = append(f.calls, call+" "+filepath.Base(name))
	if f.n == f.failAt {
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
	for name, dirty := range f.dirty {
		if dirty && (name == from || strings.HasPrefix(name, from+"/")) {
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

// The three ways to write an archive: first, partly taken over from the previous one, linked.
func faultCases() map[string][]item {
	body := bulk(1, 3)
	return map[string][]item{
		"changed":   {folderItem("."), fileItem("bulk", body+"more")},
		"unchanged": {folderItem("."), fileItem("bulk", body)},
		"other":     {fileItem("else", body)},
	}
}

func TestCreateSurvivesEveryFailurePoint(t *testing.T) {
	for name, items := range faultCases() {
		errnos := []error{syscall.ENOSPC, syscall.EIO, syscall.EPERM}
		if testing.Short() {
			errnos = errnos[:1]
		}
		for _, errno := range errnos {
			t.Run(fmt.Sprintf("%s/%v", name, errno), func(t *testing.T) {
				for failAt := 1; !createFailing(t, failAt, errno, items); failAt++ {
				}
			})
		}
	}
}

// createFailing makes a second backup with call failAt failing, and reports whether no call failed any more.
func createFailing(t *testing.T, failAt int, errno error, items []item) (done bool) {
	root := filepath.Join(t.TempDir(), "store")
	calm, err := Open(root, Options{UID: os.Getuid()})
	if err != nil {
		t.Fatal(err)
	}
	old := create(t, calm, newOf("alpha"), faultCases()["unchanged"]...)
	d := newFaultDisk(failAt, errno)
	s, err := Open(root, Options{UID: os.Getuid(), disk: d})
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
	if litter, _ := filepath.Glob(filepath.Join(root, "alpha", disk.StagingPrefix+"*")); len(litter) > 0 {
		t.Errorf("call %d (%s): litter %v", failAt, d.calls[failAt-1], litter)
	}
	return false
}

func TestFirstCreateSyncsEveryNameItPromises(t *testing.T) {
	d := newFaultDisk(0, nil)
	s := testStore(t, Options{disk: d})
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

func TestRemoveSurvivesEveryFailurePoint(t *testing.T) {
	for failAt := 1; ; failAt++ {
		d := newFaultDisk(0, syscall.EIO)
		s := testStore(t, Options{disk: d})
		b := create(t, s, newOf("alpha"), sampleHome()...)
		d.n, d.failAt = 0, failAt
		err := s.Remove(b)
		if d.n < failAt {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("call %d: cause lost: %v", failAt, err)
		}
		d.failAt = 0
		list, listErr := s.Backups("alpha")
		if listErr != nil || len(list) == 1 && s.Verify(t.Context(), list[0], true) != nil {
			t.Errorf("call %d: a half backup is visible: %v", failAt, listErr)
		}
		lock, err := s.Lock("test")
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 && len(lock.Swept) == 0 {
			entries, _ := os.ReadDir(s.folder("alpha"))
			if len(entries) > 0 {
				t.Errorf("call %d: leftovers were not swept: %v", failAt, entries)
			}
		}
		if err := lock.Unlock(); err != nil {
			t.Error(err)
		}
	}
}
