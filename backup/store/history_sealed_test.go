package store

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/backup/archive"

	"filippo.io/age"
)

// newSealedHistory is a history whose backups are encrypted; the host has the store key and no identity.
func newSealedHistory(t *testing.T, seed uint64) *history {
	t.Helper()
	h := newHistory(t, seed)
	h.store.keys = filepath.Join(t.TempDir(), "keys")
	identity := newIdentity(t)
	h.to, h.ids = []string{identity.Recipient().String()}, archive.Identities{identity}
	return h
}

func newIdentity(t testing.TB) *age.X25519Identity {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// blind proves what the host can prove of itself.
func (h *history) blind() {
	h.t.Helper()
	proofs := Proofs{}
	for _, b := range h.list() {
		for _, o := range []VerifyOptions{{ReadData: true}, {ReadData: true, Proofs: proofs}, {}} {
			if v, err := h.store.VerifyWith(h.t.Context(), b, o); err != nil || v.Decrypted || v.ReadData != o.ReadData {
				h.t.Fatalf("%s: %+v, %v", b.ID, v, err)
			}
		}
	}
}

// remove takes a backup away, and frees what is not needed as far as ids tell.
func (h *history) remove(b Backup, ids archive.Identities) (unread int) {
	h.t.Helper()
	err := h.store.Remove(h.t.Context(), b, ids)
	delete(h.saved, b.ID)
	if err == nil {
		unread, err = h.store.Collect(h.t.Context(), ids)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return unread
}

// Whatever the history of files and prunes, with the key and without, every encrypted backup that is left is, byte for byte, what was there.
func TestEveryEncryptedBackupOutlivesEveryPrune(t *testing.T) {
	t.Parallel()
	for seed := range historyRounds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newSealedHistory(t, uint64(seed))
			for range 10 {
				for range h.pick.IntN(4) {
					h.change()
				}
				h.save()
				if list := h.list(); len(list) > 1 && h.pick.IntN(3) == 0 {
					ids := h.ids
					if h.pick.IntN(2) == 0 {
						ids = nil
					}
					h.remove(list[1+h.pick.IntN(len(list)-1)], ids)
				}
			}
			h.check()
			h.blind()
			for list := h.list(); len(list) > 1; list = h.list() {
				h.remove(list[len(list)-1], h.ids)
			}
			h.check()
			h.blind()
			h.freesSealed()
		})
	}
}

// freesSealed is frees for encrypted packs: with the key, none is kept that is less than half alive, and one file of each.
func (h *history) freesSealed() {
	folder := h.store.folder("alpha")
	need, err := h.store.needsIn(folder, "", h.ids)
	if err != nil {
		h.t.Fatal(err)
	}
	kept, err := sealedIn(folder)
	if err != nil {
		h.t.Fatal(err)
	}
	for id, files := range kept {
		p, err := archive.Opener{Identities: h.ids, Key: need.keys[id]}.Find(folder, id)
		if err != nil {
			h.t.Fatal(err)
		}
		if alive := archive.AliveIn(p, need.runs[id]); alive.Blocks == 0 || 2*alive.Bytes < alive.Total || len(files) != 1 {
			h.t.Errorf("%s is kept for %d of %d bytes, in %q", p.Path, alive.Bytes, alive.Total, files)
		}
		_ = p.Close()
	}
}

// A host adds to encrypted backups without being able to read them: what is there already is not stored again, and nothing that it keeps
// tells what is in them.
func TestAHostAddsToEncryptedBackupsWithoutReadingThem(t *testing.T) {
	h := newSealedHistory(t, 1)
	secret := "a name that nobody may read"
	h.files = map[string]item{secret: fileItem(secret, strings.Repeat("words that nobody may read. ", 1000)), "big": fileItem("big", bulk(1, 3))}
	h.save()
	first := h.list()[0]
	h.files["more"] = fileItem("more", "x")
	h.save()
	second := h.list()[0]
	if got := second.Manifest; got.SelfContained() || got.Archive.Bytes > 4<<10 || len(got.Packs) != 1 || got.Packs[0] != first.ID {
		t.Errorf("the second backup has %d bytes in %s and needs %q", got.Archive.Bytes, got.Archive.File, got.Packs)
	}
	for _, path := range append(filesBelow(t, h.store.Root()), filesBelow(t, h.store.keys)...) {
		content, err := os.ReadFile(path)
		if err != nil || bytes.Contains(content, []byte("nobody may read")) {
			t.Errorf("%s tells of the home, %v", path, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	h.check()
	h.blind()
	if _, err := h.store.Load(second, nil); !errors.Is(err, archive.ErrNoIdentity) {
		t.Errorf("the index was read without a key: %v", err)
	}
}

// Who has lost the store key, and who encrypts to others, begins anew: that backup is whole.
func TestWithoutTheStoreKeyTheNextBackupIsWhole(t *testing.T) {
	other := newIdentity(t)
	for name, c := range map[string]struct {
		before func(h *history)
		whole  bool
	}{
		"the same key":        {func(*history) {}, false},
		"the key is lost":     {func(h *history) { h.each(os.Remove) }, true},
		"others may read it":  {func(h *history) { h.each(func(path string) error { return os.Chmod(path, 0o640) }) }, true},
		"it is no key":        {func(h *history) { h.each(func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }) }, true},
		"to one more":         {func(h *history) { h.to = append(h.to, other.Recipient().String()) }, true},
		"to the same, twice":  {func(h *history) { h.to = append(h.to, h.to[0]) }, false},
		"nowhere to keep one": {func(h *history) { h.store.keys = "" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newSealedHistory(t, 2)
			h.save()
			c.before(h)
			h.save()
			if b := h.list()[0]; b.Manifest.SelfContained() != c.whole {
				t.Errorf("whole: %v", b.Manifest.SelfContained())
			}
			h.check()
			h.blind()
			h.save()
			h.check()
		})
	}
}

// each does something to every store key.
func (h *history) each(do func(path string) error) {
	for _, path := range filesBelow(h.t, h.store.keys) {
		if err := do(path); err != nil {
			h.t.Fatal(err)
		}
	}
}

// Without a key only packs that nobody needs at all are freed, and how many others stay whole is counted; with it, what is needed of them
// is written anew.
func TestOnlyWhoReadsAPackMakesItSmaller(t *testing.T) {
	h := newSealedHistory(t, 3)
	h.files = map[string]item{"gone": fileItem("gone", bulk(1, 4)), "stays": fileItem("stays", bulk(2, 1))}
	h.save()
	delete(h.files, "gone")
	h.save()
	h.files = map[string]item{"other": fileItem("other", "x")}
	h.save()
	list := h.list()
	if unread := h.remove(list[2], nil); unread != 1 || h.store.Retired("alpha") < 5<<20 {
		t.Errorf("without a key %d packs are kept whole, in %d bytes", unread, h.store.Retired("alpha"))
	}
	h.check()
	h.blind()
	unread, err := h.store.Collect(t.Context(), h.ids)
	if kept := h.store.Retired("alpha"); err != nil || unread != 0 || kept < 1<<20 || kept > 3<<20 {
		t.Errorf("with the key %d packs are kept whole, in %d bytes, %v", unread, kept, err)
	}
	h.check()
	h.blind()
	h.files["stays"] = fileItem("stays", bulk(2, 1))
	h.save()
	if got := h.list()[0].Manifest; got.Archive.Bytes > 1<<20 {
		t.Errorf("what is kept of a removed backup was stored again: %d bytes", got.Archive.Bytes)
	}
	h.check()
	for _, b := range h.list()[:] {
		if b.ID == list[1].ID || len(b.Manifest.Packs) > 0 {
			h.remove(b, nil)
		}
	}
	if kept := h.store.Retired("alpha"); kept != 0 {
		t.Errorf("%d bytes are kept that nobody needs", kept)
	}
	h.check()
	h.blind()
}

// A flipped bit anywhere in an encrypted series is found, without a key too, unless it is in what is kept of removed backups and nobody needs.
func TestVerifyFindsEveryFlipInAnEncryptedSeries(t *testing.T) {
	t.Parallel()
	h := newSealedHistory(t, 12)
	h.files = map[string]item{"dir/db": fileItem("dir/db", string(h.database(4096)))}
	for range 4 {
		name := "dir/" + string(rune('a'+len(h.saved)))
		h.files[name] = fileItem(name, string(h.bytes(1+h.pick.IntN(40<<10))))
		h.save()
	}
	h.remove(h.list()[3], nil)
	files := filesBelow(t, h.store.folder("alpha"))
	pick, found := rand.New(rand.NewPCG(5, 6)), map[string]int{}
	for range flipRounds() {
		path := files[pick.IntN(len(files))]
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(whole)
		bit := pick.IntN(8 * len(whole))
		damaged[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		sealed, opened := h.judgeWith(nil), h.judgeWith(h.ids)
		retired := strings.Contains(path, archive.RetiredFolder)
		if !retired && (sealed == 0 || opened == 0) || retired && strings.HasSuffix(path, ".age") && sealed == 0 {
			t.Errorf("%s, bit %d: %d and %d backups are hurt", path, bit, sealed, opened)
		}
		found[filepath.Ext(path)] += sealed
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if hurt := h.judgeWith(nil) + h.judgeWith(h.ids); hurt > 0 || found[".note"] == 0 || found[".age"] == 0 {
		t.Errorf("%d backups are hurt in the end; found %v", hurt, found)
	}
}

// judgeWith counts the backups that do not pass, and proves that the others are what was saved as far as ids open them.
func (h *history) judgeWith(ids archive.Identities) (hurt int) {
	proofs := Proofs{}
	for _, b := range h.list() {
		_, err := h.store.VerifyWith(h.t.Context(), b, VerifyOptions{ReadData: true, Proofs: proofs, Identities: ids})
		if err != nil {
			if damage, ok := errors.AsType[*archive.DamageError](err); !ok || damage.Kind == "" {
				h.t.Errorf("%s: %v", b.ID, err)
			}
			hurt++
		} else if ids != nil && !h.same(b) {
			h.t.Errorf("%s passed, and is not what was saved", b.ID)
		}
	}
	return hurt
}

// A damaged encrypted pack is not built on: the home is read again, and what was damaged is stored again. The same holds for
// an index that would be taken over: nobody on the host can read it.
func TestADamagedEncryptedPackIsNeverBuiltOn(t *testing.T) {
	for name, c := range map[string]struct {
		standing, index bool
		hurt            func(t *testing.T, b Backup)
	}{
		"read":                             {hurt: hurtPack},
		"not read, for it did not change":  {standing: true, hurt: hurtPack},
		"the index has other bytes":        {standing: true, index: true, hurt: hurtIndex},
		"the index is cut off":             {standing: true, index: true, hurt: func(t *testing.T, b Backup) { must(t, os.Truncate(indexPath(b), 10)) }},
		"the index of the backup was lost": {standing: true, index: true, hurt: func(t *testing.T, b Backup) { must(t, os.Remove(indexPath(b))) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newSealedHistory(t, 4)
			h.files = map[string]item{"big": fileItem("big", bulk(1, 2))}
			print := archive.LayerFingerprint{Container: "c", Entries: 1, Digest: "d"}
			fills := 0
			save := func() Backup {
				n := newOf("alpha")
				n.Recipients = h.to
				b, err := h.store.Create(t.Context(), n, func(ctx context.Context, a *archive.Archive) error {
					fills++
					if c.standing && a.Adopt(print) {
						return nil
					}
					a.Note(func(m *archive.Manifest) { m.Standing = &print })
					return fillWith(h.home()...)(ctx, a)
				})
				must(t, err)
				h.saved[b.ID] = h.home()
				return b
			}
			first := save()
			next := save()
			if next.Manifest.Blocks.Added != 0 || next.Manifest.ContentOf != map[bool]string{true: first.ID}[c.standing] {
				t.Errorf("added %+v, content of %q", next.Manifest.Blocks, next.Manifest.ContentOf)
			}
			h.check()
			damaged := first
			if c.index {
				damaged = next
			}
			c.hurt(t, damaged)
			fills = 0
			last := save()
			if fills != 2 || (last.Manifest.Blocks.AddedBytes >= 2<<20) == c.index {
				t.Errorf("%d fills; added %+v", fills, last.Manifest.Blocks)
			}
			assertOpened(t, h.store, last, h.home(), h.ids)
		})
	}
}

func indexPath(b Backup) string { return filepath.Join(b.Dir, b.Manifest.IndexFile.File) }

func hurtPack(t *testing.T, b Backup) { flip(t, b.ArchivePath(), 1<<20) }

func hurtIndex(t *testing.T, b Backup) { flip(t, indexPath(b), int(b.Manifest.IndexFile.Bytes/2)) }

func flip(t *testing.T, path string, at int) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	content[at] ^= 1
	must(t, os.WriteFile(path, content, 0o600))
}

// An encrypted backup that shares blocks is exported whole with a key that opens it, and without one nothing is written.
func TestAnEncryptedBackupIsExportedWhole(t *testing.T) {
	h := newSealedHistory(t, 5)
	h.save()
	h.change()
	h.save()
	b, scratch := h.list()[0], t.TempDir()
	if err := h.store.Export(t.Context(), b, io.Discard, ExportOptions{Scratch: scratch}); !errors.Is(err, archive.ErrNoIdentity) {
		t.Errorf("without a key: %v", err)
	}
	var out bytes.Buffer
	if err := h.store.Export(t.Context(), b, &out, ExportOptions{Scratch: scratch, Identities: h.ids}); err != nil {
		t.Fatal(err)
	}
	to := testStore(t, Options{})
	got, err := to.Import(t.Context(), &out, nil)
	if err != nil {
		t.Fatal(err)
	}
	assertOpened(t, to, got, h.saved[b.ID], h.ids)
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// What was left out of an encrypted backup is in its manifest by number, and by path only for who opens it.
func TestTheManifestOfAnEncryptedBackupHasNoPaths(t *testing.T) {
	h := newSealedHistory(t, 6)
	n := newOf("alpha")
	n.Recipients = h.to
	b := create(t, h.store, n, folderItem("."), item{tar.Header{Typeflag: tar.TypeFifo, Name: "secret-pipe"}, ""}, fileItem("secret-file", "x"))
	text, err := os.ReadFile(filepath.Join(b.Dir, archive.ManifestName))
	if err != nil || strings.Contains(string(text), "secret-") || len(b.Manifest.Exclusions) != 1 {
		t.Errorf("%v\n%s", err, text)
	}
	m, err := h.store.Load(b, h.ids)
	if err != nil || len(m.Exclusions) != 1 || m.Exclusions[0].Path != "secret-pipe" {
		t.Errorf("%+v, %v", m.Exclusions, err)
	}
}

// The script beside the backups opens encrypted ones too, with python3, zstd, age and the key alone.
func TestTheScriptOpensEveryEncryptedBackup(t *testing.T) {
	needTools(t, "python3", "zstd", "age")
	h := newSealedHistory(t, 3)
	h.live(6)
	list := h.list()
	h.remove(list[len(list)-1], nil)
	h.remove(list[len(list)-2], h.ids)
	if h.store.Retired("alpha") == 0 {
		t.Fatal("no pack of a removed backup is there to be read")
	}
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, []byte(h.ids[0].(*age.X25519Identity).String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, b := range h.list() {
		assertScriptWith(t, filepath.Join(h.store.Root(), ScriptName), h.store, b.ID, h.ids, key)
	}
}
