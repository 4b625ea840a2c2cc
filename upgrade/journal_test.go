package upgrade

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

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
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, JournalName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v, want %o", path, info.Mode(), err, mode)
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
		if got, err := PeekJournal(dir); got != nil || err != nil {
			t.Errorf("PeekJournal of nothing = %v, %v", got, err)
		}
	}
	dir := t.TempDir()
	j := journalIn(t, dir)
	if err := j.Enter(&Entry{Name: "alpha"}, StepCreating); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	path := filepath.Join(dir, JournalName)
	before, _ := os.ReadFile(path)
	was, _ := os.Stat(path)
	got, err := PeekJournal(dir)
	after, _ := os.ReadFile(path)
	now, _ := os.Stat(path)
	if err != nil || len(got) != 1 || got[0].Step != StepCreating {
		t.Errorf("PeekJournal = %+v, %v", got, err)
	}
	if !bytes.Equal(before, after) || !was.ModTime().Equal(now.ModTime()) {
		t.Error("PeekJournal wrote to the file")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("PeekJournal left %v", left)
	}
}

func TestAJournalThatCannotBeReadIsNeverEmpty(t *testing.T) {
	whole := func(dir string) []byte {
		j := journalIn(t, dir)
		if err := j.Enter(&Entry{Name: "alpha", Reason: strings.Repeat("why ", 5000)}, StepCreating); err != nil {
			t.Fatal(err)
		}
		_ = j.Close()
		content, _ := os.ReadFile(filepath.Join(dir, JournalName))
		return content
	}
	cases := map[string]func(path string, content []byte) error{
		"text":    func(path string, _ []byte) error { return os.WriteFile(path, []byte("not a journal"), 0o600) },
		"cut off": func(path string, content []byte) error { return os.WriteFile(path, content[:len(content)/4], 0o600) },
		"zeroed pages": func(path string, content []byte) error {
			clear(content[8192:])
			return os.WriteFile(path, content, 0o600)
		},
		"a link": func(path string, content []byte) error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		},
		"a folder": func(path string, _ []byte) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := spoil(filepath.Join(dir, JournalName), whole(dir)); err != nil {
				t.Fatal(err)
			}
			if got, err := PeekJournal(dir); err == nil {
				t.Errorf("PeekJournal = %+v, want an error", got)
			}
			j, err := OpenJournal(dir, time.Now)
			if err == nil {
				_, err = j.Unfinished()
				_ = j.Close()
			}
			if err == nil || !strings.Contains(err.Error(), JournalName) {
				t.Errorf("OpenJournal and Unfinished = %v, want an error that names the file", err)
			}
		})
	}
}

func TestAJournalOfAnotherFormatIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	j := journalIn(t, dir)
	err := j.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(journalMeta)).Put([]byte(journalKey), []byte("9")) })
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(dir, time.Now); err == nil || !strings.Contains(err.Error(), `format is "9"`) {
		t.Errorf("OpenJournal = %v", err)
	}
	if got, err := PeekJournal(dir); err == nil || !strings.Contains(err.Error(), `format is "9"`) {
		t.Errorf("PeekJournal = %+v, %v: nobody knows what is unfinished there", got, err)
	}
}

// TestAJournalForWhichThereWasNoRoomIsNone: it never held anything, and is made again once there is room.
func TestAJournalForWhichThereWasNoRoomIsNone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, JournalName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := PeekJournal(dir); got != nil || err != nil {
		t.Errorf("PeekJournal = %+v, %v", got, err)
	}
	if got, err := journalIn(t, dir).Unfinished(); got != nil || err != nil {
		t.Errorf("Unfinished = %+v, %v", got, err)
	}
}

// TestADamagedJournalSaysWhatToDo, whatever the damage is.
func TestADamagedJournalSaysWhatToDo(t *testing.T) {
	record := filepath.Join(t.TempDir(), "record")
	j := journalIn(t, record)
	err := j.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(journalEntries)).Put([]byte("gw\x00alpha"), []byte("{nonsense"))
	})
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	short := t.TempDir()
	if err := os.WriteFile(filepath.Join(short, JournalName), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{record, short} {
		if got, err := PeekJournal(dir); !errors.Is(err, ErrJournalDamaged) || !strings.Contains(err.Error(), "move the file away") {
			t.Errorf("PeekJournal = %+v, %v", got, err)
		}
	}
}

func TestChosen(t *testing.T) {
	entries := []Entry{{Name: "alpha"}, {Name: "beta"}}
	if all, unknown := Chosen(entries, nil); len(all) != 2 || unknown != "" {
		t.Errorf("Chosen of no names = %v, %q", all, unknown)
	}
	if one, unknown := Chosen(entries, []string{"beta"}); len(one) != 1 || one[0].Name != "beta" || unknown != "" {
		t.Errorf("Chosen of beta = %v, %q", one, unknown)
	}
	if none, unknown := Chosen(entries, []string{"beta", "gamma"}); none != nil || unknown != "gamma" {
		t.Errorf("Chosen of an unknown name = %v, %q", none, unknown)
	}
}
