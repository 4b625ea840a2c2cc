package upgrade

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"sandkeeper/internal/trust"
)

// oldJournal makes what a version before the records has left.
func oldJournal(t *testing.T, dir, format string, records map[string]string) string {
	t.Helper()
	path := filepath.Join(dir, oldName)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket([]byte(oldMeta))
		if err == nil {
			err = meta.Put([]byte(oldKey), []byte(format))
		}
		entries, made := tx.CreateBucket([]byte(oldEntries))
		for key, text := range records {
			made = errors.Join(made, entries.Put([]byte(key), []byte(text)))
		}
		return errors.Join(err, made)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func textOf(t *testing.T, e Entry) string {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What an earlier version has left unfinished is seen by who looks, and taken over by who works, once.
func TestAnOldJournalIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	alpha, beta := Entry{Name: "alpha", Gateway: "gw", Step: StepDeleted, OldID: "id-1"}, Entry{Name: "beta", Gateway: "gw", Step: StepCreating}
	path := oldJournal(t, dir, oldFormat, map[string]string{"gw\x00alpha": textOf(t, alpha), "gw\x00beta": textOf(t, beta)})
	seen, err := peeked(dir)
	if err != nil || len(seen) != 2 || seen[0].OldID != "id-1" {
		t.Fatalf("PeekJournal = %+v, %v", seen, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("looking took the file away: %v", err)
	}
	for range 2 {
		j := journalIn(t, dir)
		got, err := j.Unfinished()
		if err != nil || len(got) != 2 || got[0].Step != StepDeleted || got[1].Step != StepCreating {
			t.Errorf("Unfinished = %+v, %v", got, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the old file: %v", err)
		}
		_ = j.Close()
	}
}

// A take-over that was cut short is repeated; what has gone on since is not set back.
func TestATakeOverIsRepeated(t *testing.T) {
	dir := t.TempDir()
	j := journalIn(t, dir)
	if err := errors.Join(j.Enter(&Entry{Name: "alpha", Gateway: "gw"}, StepRestored), j.Close()); err != nil {
		t.Fatal(err)
	}
	oldJournal(t, dir, oldFormat, map[string]string{"gw\x00alpha": textOf(t, Entry{Name: "alpha", Gateway: "gw", Step: StepDeleted})})
	if got, err := journalIn(t, dir).Unfinished(); err != nil || len(got) != 1 || got[0].Step != StepRestored {
		t.Errorf("Unfinished = %+v, %v", got, err)
	}
}

func TestAnOldJournalThatIsInUse(t *testing.T) {
	dir := t.TempDir()
	db, err := bbolt.Open(oldJournal(t, dir, oldFormat, nil), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := peeked(dir); !errors.Is(err, ErrJournalBusy) {
		t.Errorf("PeekJournal = %v", err)
	}
	if _, err := OpenJournal(dir, time.Now); !errors.Is(err, ErrJournalBusy) {
		t.Errorf("OpenJournal = %v", err)
	}
}

// An old file that cannot be read is never nothing, and stays as it is.
func TestAnOldJournalThatCannotBeRead(t *testing.T) {
	whole := map[string]string{"gw\x00alpha": textOf(t, Entry{Name: "alpha", Gateway: "gw", Reason: strings.Repeat("why ", 5000)})}
	for name, tt := range map[string]struct {
		make func(dir string) error
		says string
	}{
		"text": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, oldName), []byte("not a journal"), 0o600)
		}, "move the file away"},
		"too short": {func(dir string) error { return os.WriteFile(filepath.Join(dir, oldName), make([]byte, 4096), 0o600) }, "move the file away"},
		"cut off": {func(dir string) error {
			path := oldJournal(t, dir, oldFormat, whole)
			info, err := os.Stat(path)
			return errors.Join(err, os.Truncate(path, info.Size()/4))
		}, oldName},
		"nonsense":       {func(dir string) error { oldJournal(t, dir, oldFormat, map[string]string{"gw\x00a": "{"}); return nil }, "move the file away"},
		"another format": {func(dir string) error { oldJournal(t, dir, "9", whole); return nil }, `format is "9"`},
		"a folder":       {func(dir string) error { return os.Mkdir(filepath.Join(dir, oldName), 0o700) }, "not a regular file"},
	} {
		dir := t.TempDir()
		if err := tt.make(dir); err != nil {
			t.Fatal(err)
		}
		if got, err := peeked(dir); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: PeekJournal = %+v, %v", name, got, err)
		}
		if _, err := OpenJournal(dir, time.Now); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: OpenJournal = %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, oldName)); err != nil {
			t.Errorf("%s: the file: %v", name, err)
		}
	}
	dir := t.TempDir() // for which there was no room
	if err := os.WriteFile(filepath.Join(dir, oldName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := peeked(dir); got != nil || err != nil {
		t.Errorf("an empty file: %+v, %v", got, err)
	}
}

// Root with somebody's HOME takes no upgrade over that somebody else may have written there.
func TestAnOldJournalOfAnotherUserIsNotObeyed(t *testing.T) {
	dir := t.TempDir()
	path := oldJournal(t, dir, oldFormat, map[string]string{"gw\x00alpha": textOf(t, Entry{Name: "alpha", Gateway: "gw", Step: StepDeleted})})
	if err := os.Chmod(path, 0o606); err != nil {
		t.Fatal(err)
	}
	if _, err := peeked(dir); !errors.Is(err, trust.ErrForeign) || errors.Is(err, ErrJournalDamaged) {
		t.Errorf("looking: %v", err)
	}
	if _, err := OpenJournal(dir, time.Now); !errors.Is(err, trust.ErrForeign) {
		t.Errorf("taking over: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file: %v", err)
	}
}
