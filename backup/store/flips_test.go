package store

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
)

// A flipped bit anywhere in a series of backups is found, and whatever backup passes its verification is read back as it was. Only what
// is kept of removed backups may have bytes that nobody needs.
func TestVerifyFindsEveryFlipInASeries(t *testing.T) {
	h := newHistory(t, 11)
	h.files = map[string]item{"dir/db": fileItem("dir/db", string(h.database(4096)))}
	for range 5 {
		name := "dir/" + string(rune('a'+len(h.saved)))
		h.files[name] = fileItem(name, string(h.bytes(1+h.pick.IntN(40<<10))))
		h.save()
	}
	oldest := h.list()[4]
	if err := h.store.Remove(t.Context(), oldest, nil); err != nil {
		t.Fatal(err)
	}
	delete(h.saved, oldest.ID)
	files := filesBelow(t, h.store.folder("alpha"))
	pick, found := rand.New(rand.NewPCG(5, 6)), map[string]int{}
	for range flipRounds() {
		path := files[pick.IntN(len(files))]
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bit := pick.IntN(8 * len(whole))
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		hurt := h.judge()
		if hurt == 0 && !strings.Contains(path, archive.RetiredFolder) {
			t.Errorf("%s, bit %d: not found", path, bit)
		}
		found[filepath.Base(path)] += hurt
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if hurt := h.judge(); hurt > 0 || found[oldest.ID+".zst"] == 0 {
		t.Errorf("%d backups are hurt in the end; found %v", hurt, found)
	}
}

func filesBelow(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// judge verifies every backup, proves that those which pass are what was saved, and counts the others.
func (h *history) judge() (hurt int) {
	proofs := Proofs{}
	for _, b := range h.list() {
		_, err := h.store.VerifyWith(h.t.Context(), b, VerifyOptions{ReadData: true, Proofs: proofs})
		if err != nil {
			if damage, ok := errors.AsType[*archive.DamageError](err); !ok || damage.Kind == "" {
				h.t.Errorf("%s: %v", b.ID, err)
			}
			hurt++
			continue
		}
		if !h.same(b) {
			h.t.Errorf("%s passed, and is not what was saved", b.ID)
		}
	}
	return hurt
}

func (h *history) same(b Backup) bool {
	r, err := h.store.Open(h.t.Context(), b, archive.OpenOptions{Identities: h.ids})
	if err != nil {
		return false
	}
	defer r.Close()
	for _, want := range h.saved[b.ID] {
		if _, err := r.Next(); err != nil {
			return false
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want.body {
			return false
		}
	}
	_, err = r.Next()
	return errors.Is(err, io.EOF)
}
