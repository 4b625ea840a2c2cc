package powercut

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"sandkeeper/internal/disk"
)

// publish makes dir/backup with a file in it, as a store does, without the step of that name.
func publish(t *testing.T, d disk.FS, dir, without string) {
	t.Helper()
	part, final := filepath.Join(dir, ".tmp"), filepath.Join(dir, "backup")
	err := d.Mkdir(part)
	f, createErr := d.Create(filepath.Join(part, "file"))
	if err = errors.Join(err, createErr); err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte("0123456789"))
	if without != "sync file" {
		err = errors.Join(err, f.Sync())
	}
	err = errors.Join(err, f.Close())
	if without != "sync folder" {
		err = errors.Join(err, d.SyncDir(part))
	}
	err = errors.Join(err, d.Rename(part, final))
	if without != "sync parent" {
		err = errors.Join(err, d.SyncDir(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// ends are how a publishing is found after power cuts: "nowhere", else what the file holds, "-" for none.
func ends(t *testing.T, without string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for seed := range uint64(60) {
		dir := t.TempDir()
		d := New(t.TempDir(), rand.New(rand.NewPCG(seed, 0)))
		publish(t, d.Process(0, nil), dir, without)
		if err := d.Cut(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, "backup", "file"))
		end := string(content)
		if _, gone := os.Stat(filepath.Join(dir, "backup")); gone != nil {
			end = "nowhere"
		} else if err != nil {
			end = "-"
		}
		found[end] = true
	}
	return found
}

// What was synced is there, whole, after every cut; what lacks one sync is not after some.
func TestACutTakesWhatWasNotSynced(t *testing.T) {
	const whole = "0123456789"
	if got := ends(t, ""); len(got) != 1 || !got[whole] {
		t.Errorf("with every sync: %v", got)
	}
	if got := ends(t, "sync parent"); len(got) != 2 || !got[whole] || !got["nowhere"] {
		t.Errorf("without that of the parent: %v", got)
	}
	if got := ends(t, "sync folder"); len(got) != 2 || !got[whole] || !got["-"] {
		t.Errorf("without that of the folder: %v", got)
	}
	if got := ends(t, "sync file"); len(got) < 5 || !got[whole] || got["nowhere"] {
		t.Errorf("without that of the file: %v", got)
	}
}

// What was removed, or renamed over, may come back.
func TestACutTakesARemovalBack(t *testing.T) {
	old, found := "old", map[string]bool{}
	for seed := range uint64(40) {
		dir := t.TempDir()
		path := filepath.Join(dir, "a")
		d := New(t.TempDir(), rand.New(rand.NewPCG(seed, 0)))
		p := d.Process(0, nil)
		if err := errors.Join(os.WriteFile(path, []byte(old), 0o600), os.WriteFile(path+"2", []byte("new"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(p.Rename(path+"2", path), p.Remove(path), d.Cut()); err != nil {
			t.Fatal(err)
		}
		content, _ := os.ReadFile(path)
		found[string(content)] = true
	}
	if len(found) != 3 {
		t.Errorf("found %v, want the old content, the new one, and none", found)
	}
}
