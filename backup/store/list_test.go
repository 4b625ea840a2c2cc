package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"

	"github.com/google/go-cmp/cmp"
)

// at is a store whose clock and randomness are fixed.
func storeAt(t *testing.T, root string, moment time.Time, random string) *Store {
	t.Helper()
	s, err := Open(root, Options{UID: os.Getuid(), Now: func() time.Time { return moment }, Rand: strings.NewReader(random)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFind(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	morning := time.Date(2026, 11, 21, 10, 15, 0, 5, time.FixedZone("EST", -5*3600))
	first := create(t, storeAt(t, root, morning, "\x1f\x3a"), newOf("alpha"), folderItem("."))
	second := create(t, storeAt(t, root, morning, "\x1f\x3b"), newOf("alpha"), folderItem("."))
	third := create(t, storeAt(t, root, morning.Add(time.Hour), "\x00\x01"), newOf("alpha"), folderItem("."))
	if first.ID != "20261121T151500Z-1f3a" || !first.Time().Equal(morning.Truncate(time.Second)) {
		t.Errorf("id = %s", first.ID)
	}
	s := storeAt(t, root, morning, "")
	for id, want := range map[string]string{
		"": third.ID, Latest: third.ID, first.ID: first.ID, "20261121T16": third.ID,
		"20261121T1515": "?could be " + second.ID + " or " + first.ID, "2025": `?has no backup "2025"`, "../alpha": "?has no backup",
	} {
		b, err := s.Find("alpha", id)
		if wrong, isError := strings.CutPrefix(want, "?"); isError {
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), wrong) {
				t.Errorf("%q: %v, want %s", id, err, wrong)
			}
		} else if err != nil || b.ID != want {
			t.Errorf("%q: %s, %v; want %s", id, b.ID, err, want)
		}
	}
	if _, err := s.Find("beta", Latest); err == nil || err.Error() != `sandbox "beta" has no backup` {
		t.Errorf("err = %v", err)
	}
	if err := os.Truncate(filepath.Join(third.Dir, archive.ManifestName), 10); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Find("alpha", Latest); err != nil || b.ID != second.ID {
		t.Errorf("latest = %s, %v; the damaged one must not be chosen", b.ID, err)
	}
	if b, err := s.Find("alpha", third.ID); err != nil || b.Whole() || b.Damage == nil {
		t.Errorf("the damaged one by its id: %+v, %v", b, err)
	}
}

func TestReadersMakeNothing(t *testing.T) {
	s := testStore(t, Options{})
	names, err := s.Sandboxes()
	list, err2 := s.Backups("alpha")
	_, err3 := s.Find("alpha", Latest)
	if len(names)+len(list) > 0 || err != nil || err2 != nil || !errors.Is(err3, fs.ErrNotExist) {
		t.Errorf("%v %v, %v, %v, %v", names, list, err, err2, err3)
	}
	if _, err := os.Stat(s.Root()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a reader made the store: %v", err)
	}
}

func TestListingSkipsWhatIsNoBackup(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), folderItem("."))
	for _, name := range []string{".tmp-" + b.ID, "20261399T000000Z-aaaa", "notes"} {
		if err := os.Mkdir(filepath.Join(s.folder("alpha"), name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := s.Backups("alpha"); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if names, err := s.Sandboxes(); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := s.Backups("../alpha"); err == nil {
		t.Error("a path was taken for a name")
	}
}

// A backup whose manifest cannot be read when it is listed, and can be when it is verified, has no panic as its end.
func TestMarkVerifiedWantsAManifest(t *testing.T) {
	s := testStore(t, Options{})
	if err := s.MarkVerified(Backup{ID: "20261121T101500Z-1f3a", Dir: t.TempDir(), Damage: errors.New("torn")}, true); err == nil || err.Error() != "torn" {
		t.Errorf("got %v", err)
	}
}

func TestMarkVerifiedSurvivesEveryFailurePoint(t *testing.T) {
	for failAt := 1; ; failAt++ {
		d := newFaultDisk(0, fs.ErrPermission)
		s := testStore(t, Options{Disk: d})
		b := create(t, s, newOf("alpha"), folderItem("."))
		d.n, d.failAt = 0, failAt
		err := s.MarkVerified(b, true)
		if d.n < failAt {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("call %d: %v", failAt, err)
		}
		if litter, _ := filepath.Glob(filepath.Join(b.Dir, ".tmp-*")); len(litter) > 0 {
			t.Errorf("call %d: litter %v", failAt, litter)
		}
	}
}

func TestVerificationOfOtherBytesDoesNotCount(t *testing.T) {
	s := testStore(t, Options{})
	one := create(t, s, newOf("alpha"), folderItem("."))
	two := create(t, s, newOf("alpha"), folderItem("."), fileItem("a", "b"))
	if err := s.MarkVerified(one, true); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(one.Dir, verifiedName))
	if err != nil || !bytes.HasSuffix(content, []byte("\n")) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(two.Dir, verifiedName), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Find("alpha", two.ID); err != nil || found.Verified != nil {
		t.Errorf("%+v, %v", found.Verified, err)
	}
}

func TestLatestPassesOverWhatARestoreReplaced(t *testing.T) {
	s := testStore(t, Options{})
	made := create(t, s, newOf("alpha"), fileItem("a", "first"))
	copyOf := newOf("alpha")
	copyOf.Manifest.Label = archive.LabelBeforeRestore
	replaced := create(t, s, copyOf, fileItem("a", "second"))
	if got, err := s.Find("alpha", Latest); err != nil || got.ID != made.ID {
		t.Errorf("latest = %s, %v; want %s", got.ID, err, made.ID)
	}
	if err := s.Remove(t.Context(), made, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Find("alpha", Latest); err != nil || got.ID != replaced.ID {
		t.Errorf("where there is nothing else, latest = %s, %v; want %s", got.ID, err, replaced.ID)
	}
}

// Backups of one second, and those made after the clock was set back, still sort in the order in which they were made.
func TestIDsSortInTheOrderOfMaking(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 15, 0, 0, time.UTC)
	s := testStore(t, Options{Now: func() time.Time { return at }})
	var made []string
	for i := range 12 {
		if i == 8 {
			at = at.Add(-time.Hour)
		}
		made = append([]string{create(t, s, newOf("alpha"), fileItem("a", strconv.Itoa(i))).ID}, made...)
	}
	listed, err := s.Backups("alpha")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range listed {
		got = append(got, b.ID)
	}
	if diff := cmp.Diff(made, got); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
	if started := listed[0].Manifest.Started; !started.Equal(at) {
		t.Errorf("the manifest says %s, want the true time %s", started, at)
	}
}
