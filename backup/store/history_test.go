package store

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sandkeeper/backup/archive"
)

// history is a home that changes at random, and a store in which it is saved and pruned at random.
type history struct {
	t     *testing.T
	pick  *rand.Rand
	store *Store
	files map[string]item
	saved map[string][]item // by id: what a backup must be
	to    []string          // recipients; none: not encrypted
	ids   archive.Identities
	seen  map[string]archive.Seen // what the file system says of each file; nil: nothing is
	kept  int                     // files that were not read

	touched int64
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{t: t, pick: rand.New(rand.NewPCG(seed, 7)), files: map[string]item{}, saved: map[string][]item{}}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h.store = testStore(t, Options{Now: func() time.Time { at = at.Add(time.Minute); return at }})
	for range 8 {
		h.change()
	}
	return h
}

func (h *history) bytes(n int) []byte {
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(h.pick.IntN(1 + h.pick.IntN(256))) // compresses a little
	}
	return content
}

// change does one thing to the home: a file comes, goes, moves, grows, is touched or is written in the middle; a database's pages change.
func (h *history) change() {
	name := fmt.Sprintf("dir/file-%d", h.pick.IntN(12))
	old, there := h.files[name]
	h.touched++
	if h.seen != nil {
		h.seen[name] = archive.Seen{Inode: 7, Changed: h.touched}
		h.seen[name+"-moved"] = archive.Seen{Inode: 7, Changed: h.touched}
	}
	body := []byte(old.body)
	switch h.pick.IntN(7) {
	case 0:
		body = h.bytes(h.pick.IntN(3000))
	case 1:
		body = h.bytes(1 + h.pick.IntN(700<<10))
	case 2:
		body = h.database(4096 << h.pick.IntN(3))
	case 3:
		body = append(body, h.bytes(h.pick.IntN(100<<10))...)
	case 4:
		if len(body) > 100 {
			copy(body[100+h.pick.IntN(len(body)-100):], h.bytes(1+h.pick.IntN(5000)))
		}
	case 5:
		delete(h.files, name)
		if there && h.pick.IntN(2) == 0 {
			h.files[name+"-moved"] = fileItem(name+"-moved", old.body)
		}
		return
	case 6:
		body = bytes.Repeat([]byte{0}, h.pick.IntN(600<<10)) // the same block again and again
	}
	it := fileItem(name, string(body))
	it.header.ModTime = time.Unix(1700000000+int64(h.pick.IntN(3)), int64(h.pick.IntN(2)))
	h.files[name] = it
}

func (h *history) database(page int) []byte {
	content := h.bytes(page * (1 + h.pick.IntN(30)))
	copy(content, "SQLite format 3\x00")
	binary.BigEndian.PutUint16(content[16:], uint16(page))
	return content
}

func (h *history) home() []item {
	items := []item{folderItem("."), folderItem("dir")}
	for _, name := range slices.Sorted(maps.Keys(h.files)) {
		items = append(items, h.files[name])
	}
	return items
}

func (h *history) save() {
	items := h.home()
	n := newOf("alpha")
	n.Recipients = h.to
	b, err := h.store.Create(h.t.Context(), n, h.fill(items))
	if err != nil {
		h.t.Fatal(err)
	}
	h.saved[b.ID] = items
}

func (h *history) list() []Backup {
	list, err := h.store.Backups("alpha")
	if err != nil || len(list) != len(h.saved) {
		h.t.Fatalf("%d backups are listed, not %d: %v", len(list), len(h.saved), err)
	}
	return list
}

// prune removes a backup, any but the newest, and at times frees what nobody needs.
func (h *history) prune() {
	if list := h.list(); len(list) > 1 {
		b := list[1+h.pick.IntN(len(list)-1)]
		if err := h.store.Remove(h.t.Context(), b, nil); err != nil {
			h.t.Fatal(err)
		}
		delete(h.saved, b.ID)
	}
	if h.pick.IntN(2) == 0 {
		if err := collected(h.t, h.store); err != nil {
			h.t.Fatal(err)
		}
	}
}

// check proves that every backup is what was saved.
func (h *history) check() {
	proofs := Proofs{}
	for _, b := range h.list() {
		assertOpened(h.t, h.store, b, h.saved[b.ID], h.ids)
		if _, err := h.store.VerifyWith(h.t.Context(), b, VerifyOptions{ReadData: true, Proofs: proofs, Identities: h.ids}); err != nil {
			h.t.Fatalf("%s: %v", b.ID, err)
		}
	}
}

func (h *history) live(steps int) {
	for range steps {
		for range h.pick.IntN(4) {
			h.change()
		}
		h.save()
		if h.pick.IntN(3) == 0 {
			h.prune()
		}
	}
}

func historyRounds() int {
	if testing.Short() {
		return 6
	}
	return cmp.Or(min(flipRounds()/50, 200), 1) * 5
}

// Whatever the history of files and prunes, every backup that is left is, byte for byte, what was there.
func TestEveryBackupOutlivesEveryPrune(t *testing.T) {
	t.Parallel()
	for seed := range historyRounds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(t, uint64(seed))
			for range 3 {
				h.live(6)
				h.check()
			}
			for len(h.saved) > 1 {
				h.prune()
			}
			h.check()
			if err := collected(t, h.store); err != nil {
				t.Fatal(err)
			}
			h.check()
			h.frees()
		})
	}
}

// frees checks that the last backup of a history keeps little more than it needs: at most as much again, as no pack is kept that is less
// than half alive.
func (h *history) frees() {
	need, err := h.store.needsIn(h.store.folder("alpha"), "", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	retired, err := retiredIn(h.store.folder("alpha"), false)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, id := range retired {
		p, err := archive.Opener{}.Find(h.store.folder("alpha"), id)
		if err != nil {
			h.t.Fatal(err)
		}
		if alive := archive.AliveIn(p, need.runs[id]); alive.Blocks == 0 || 2*alive.Bytes < alive.Total {
			h.t.Errorf("%s is kept for %d of %d bytes", p.Path, alive.Bytes, alive.Total)
		}
		_ = p.Close()
	}
}

// The script beside the backups gives the same bytes as the program, for every backup of a history, with python3 and zstd alone.
func TestTheScriptOpensEveryBackup(t *testing.T) {
	needTools(t, "python3", "zstd")
	h := newHistory(t, 3)
	h.live(8)
	oldest := h.list()[len(h.saved)-1]
	if err := h.store.Remove(t.Context(), oldest, nil); err != nil {
		t.Fatal(err)
	}
	delete(h.saved, oldest.ID)
	if retired, err := retiredIn(h.store.folder("alpha"), false); err != nil || len(retired) == 0 {
		t.Fatalf("no pack of a removed backup is there to be read: %v", err)
	}
	old, _ := schema1(t)
	assertScript(t, filepath.Join(h.store.Root(), ScriptName), old, "20261120T030000Z-9917")
	for _, b := range h.list() {
		assertScript(t, filepath.Join(h.store.Root(), ScriptName), h.store, b.ID)
	}
}

// needTools skips a test, loudly, on a machine that lacks a program; in CI that is a failure.
func needTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("this machine has no %s", tool)
			}
			t.Skipf("SKIPPED: this machine has no %s", tool)
		}
	}
}

func assertScript(t *testing.T, script string, s *Store, id string) {
	t.Helper()
	assertScriptWith(t, script, s, id, nil)
}

// assertScriptWith is assertScript for an encrypted backup, with the file of a key beside the identities in it.
func assertScriptWith(t *testing.T, script string, s *Store, id string, ids archive.Identities, key ...string) {
	t.Helper()
	b, err := s.Find("alpha", id)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), b, archive.OpenOptions{Identities: ids})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want, err := io.ReadAll(r.Frames)
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("python3", append([]string{script, b.Dir}, key...)...)
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, not %d: %v\n%s", id, len(got), len(want), err, &stderr)
	}
	if _, err := tar.NewReader(bytes.NewReader(got)).Next(); err != nil {
		t.Errorf("%s: no tar: %v", id, err)
	}
}

// A damaged pack hurts exactly the backups that need what is damaged in it, and the next backup stores those blocks again.
func TestDamageNamesEveryBackupThatItHurts(t *testing.T) {
	s := testStore(t, Options{})
	kept, gone := fileItem("kept", bulk(1, 3)), fileItem("gone", bulk(2, 3))
	first := create(t, s, newOf("alpha"), folderItem("."), gone, kept)
	second := create(t, s, newOf("alpha"), folderItem("."), kept)
	both := create(t, s, newOf("alpha"), folderItem("."), gone, kept, fileItem("more", "x"))
	content, err := os.ReadFile(first.ArchivePath())
	if err != nil {
		t.Fatal(err)
	}
	content[1<<20] ^= 1 // in "gone", which the second one has not
	if err := os.WriteFile(first.ArchivePath(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	proofs := Proofs{}
	for _, c := range []struct {
		b    Backup
		hurt bool
	}{{first, true}, {second, false}, {both, true}} {
		for _, o := range []VerifyOptions{{ReadData: true}, {ReadData: true, Proofs: proofs}} {
			_, err := s.VerifyWith(t.Context(), c.b, o)
			if _, damaged := errors.AsType[*archive.DamageError](err); damaged != c.hurt {
				t.Errorf("%s: hurt %v, want %v: %v", c.b.ID, damaged, c.hurt, err)
			}
		}
	}
	var told error
	n := newOf("alpha")
	n.Damaged = func(err error) { told = err }
	items := []item{folderItem("."), gone, kept}
	fills := 0
	next, err := s.Create(t.Context(), n, func(ctx context.Context, a *archive.Archive) error {
		fills++
		return fillWith(items...)(ctx, a)
	})
	if err != nil || fills != 2 || told == nil || next.Manifest.Blocks.AddedBytes > 2<<20 {
		t.Fatalf("%d fills, told %v, %+v, %v", fills, told, next.Manifest.Blocks, err)
	}
	assertContent(t, s, next, items)
	if after := create(t, s, newOf("alpha"), items...); after.Manifest.Blocks.Added != 0 {
		t.Errorf("stored a third time: %+v", after.Manifest.Blocks)
	}
}
