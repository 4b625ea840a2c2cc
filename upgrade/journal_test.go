package upgrade

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/journal"
	"sandkeeper/lifecycle"
)

func journalIn(t *testing.T, dir string) *Journal {
	t.Helper()
	j, err := OpenJournal(dir, func() time.Time { return time.Date(2026, 11, 21, 10, 15, 0, 0, time.UTC) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func TestJournalKeepsWhatIsNeededToGoOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	j := journalIn(t, dir)
	want := Entry{
		Run: "r1", Name: "alpha", Gateway: "gw", Agent: "hermes", Way: ByRecipe, OldID: "id-1", Running: true, Backup: "b1",
		Request: lifecycle.Request{Name: "alpha", Env: map[string]string{"TOKEN": "s3cret"}, Spec: []byte{0, 255}}, LeftOut: []string{".netrc"},
		Begun: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
	}
	if err := j.Enter(&want, StepDeleting); err != nil {
		t.Fatal(err)
	}
	planned := Entry{Name: "beta", Gateway: "gw"}
	if err := j.Enter(&planned, StepPlanned); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, JournalName): 0o700, j.shelf.Path(want.key()): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v, want %o", path, info, err, mode)
		}
	}
	again := journalIn(t, dir)
	got, err := again.Unfinished()
	if diff := cmp.Diff([]Entry{want}, got); err != nil || diff != "" {
		t.Errorf("Unfinished: %v (-want +got)\n%s", err, diff)
	}
	if all, err := again.Entries(); err != nil || len(all) != 1 {
		t.Errorf("what was never touched is still there: %+v, %v", all, err)
	}
	if err := again.Forget(&want); err != nil {
		t.Fatal(err)
	}
	if all, err := again.Entries(); err != nil || len(all) != 0 {
		t.Errorf("after Forget: %+v, %v", all, err)
	}
}

func TestPeekingChangesNothing(t *testing.T) {
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "none")} {
		if got, err := peeked(dir); got != nil || err != nil {
			t.Errorf("PeekJournal of nothing = %v, %v", got, err)
		}
	}
	dir := t.TempDir()
	j := journalIn(t, dir)
	if err := j.Enter(&Entry{Name: "alpha"}, StepCreating); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	path := j.shelf.Path(journal.SandboxKey("", "", "alpha"))
	before, _ := os.ReadFile(path)
	was, _ := os.Stat(path)
	got, err := peeked(dir)
	after, _ := os.ReadFile(path)
	now, _ := os.Stat(path)
	if err != nil || len(got) != 1 || got[0].Step != StepCreating {
		t.Errorf("PeekJournal = %+v, %v", got, err)
	}
	if !bytes.Equal(before, after) || !was.ModTime().Equal(now.ModTime()) {
		t.Error("PeekJournal wrote to the file")
	}
	if left, _ := os.ReadDir(filepath.Join(dir, JournalName)); len(left) != 2 {
		t.Errorf("PeekJournal left %v", left)
	}
}

// What cannot be read is never nothing, and hides none of the others.
func TestAJournalThatCannotBeReadIsNeverEmpty(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"text":    func(path string) error { return os.WriteFile(path, []byte("not a journal"), 0o600) },
		"cut off": func(path string) error { return os.Truncate(path, 100) },
		"a link": func(path string) error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		},
		"a folder":  func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"anybody's": func(path string) error { return os.Chmod(path, 0o666) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := journalIn(t, dir)
			for _, sandbox := range []string{"alpha", "beta"} {
				if err := j.Enter(&Entry{Name: sandbox, Reason: strings.Repeat("why ", 100)}, StepCreating); err != nil {
					t.Fatal(err)
				}
			}
			path := j.shelf.Path(journal.SandboxKey("", "", "alpha"))
			if err := errors.Join(j.Close(), spoil(path)); err != nil {
				t.Fatal(err)
			}
			got, err := peeked(dir)
			if !errors.Is(err, ErrJournalDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move the file away") || len(got) != 1 || got[0].Name != "beta" {
				t.Errorf("PeekJournal = %+v, %v, want an error that names the file, and beta", got, err)
			}
			again := journalIn(t, dir)
			if _, err := again.Unfinished(); err == nil {
				t.Error("Unfinished says nothing of it")
			}
			if err := again.Enter(&Entry{Name: "alpha"}, StepPlanned); err == nil {
				t.Error("it was written over")
			}
			if err := again.Enter(&Entry{Name: "beta"}, StepCreated); err != nil {
				t.Errorf("it is in the way of another sandbox: %v", err)
			}
		})
	}
}

// An upgrade shuts out others of its own sandbox, and of no other.
func TestAnEntryIsItsProcesssOwn(t *testing.T) {
	dir := t.TempDir()
	first, second := journalIn(t, dir), journalIn(t, dir)
	alpha := Entry{Name: "alpha", Gateway: "gw"}
	if err := first.Enter(&alpha, StepDeleting); err != nil {
		t.Fatal(err)
	}
	if err := second.Enter(&Entry{Name: "alpha", Gateway: "gw"}, StepPlanned); !errors.Is(err, ErrJournalBusy) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("another upgrade of the same sandbox: %v", err)
	}
	if err := second.Enter(&Entry{Name: "beta", Gateway: "gw"}, StepPlanned); err != nil {
		t.Errorf("an upgrade of another sandbox: %v", err)
	}
	if got, err := second.Entries(); !errors.Is(err, ErrJournalBusy) || len(got) != 1 || got[0].Name != "beta" {
		t.Errorf("Entries beside a living one = %+v, %v", got, err)
	}
	if err := errors.Join(first.Enter(&alpha, StepDeleted), first.Close(), second.Close()); err != nil { // as if it were killed
		t.Fatal(err)
	}
	third := journalIn(t, dir)
	got, err := third.Unfinished()
	if err != nil || len(got) != 1 || got[0].Step != StepDeleted {
		t.Fatalf("Unfinished = %+v, %v", got, err)
	}
	if _, err := journalIn(t, dir).Unfinished(); !errors.Is(err, ErrJournalBusy) {
		t.Errorf("two go on with one upgrade: %v", err)
	}
}
