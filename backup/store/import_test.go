package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/backuptest"
)

func exported(t testing.TB, s *Store, b Backup) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.Export(t.Context(), b, &out, ExportOptions{Scratch: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestExportedBackupIsImportedElsewhere(t *testing.T) {
	from, to := testStore(t, Options{}), testStore(t, Options{})
	b := create(t, from, newOf("alpha"), sampleHome()...)
	text := exported(t, from, b)
	got, err := to.Import(t.Context(), bytes.NewReader(text), nil)
	if err != nil || got.ID != b.ID || got.Manifest.Archive != b.Manifest.Archive {
		t.Fatalf("%+v, %v", got, err)
	}
	assertContent(t, to, got, sampleHome())
	if have, err := os.ReadFile(filepath.Join(to.Root(), ScriptName)); err != nil || string(have) != script {
		t.Errorf("the script that opens it is not beside it: %v", err)
	}
	again, err := to.Import(t.Context(), bytes.NewReader(text), nil)
	exists, ok := errors.AsType[*ExistsError](err)
	if !ok || !exists.Same || !errors.Is(err, fs.ErrExist) {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := exec.LookPath("tar"); err == nil {
		dir := t.TempDir()
		cmd := exec.Command("tar", "-xf", "-", "-C", dir)
		cmd.Stdin = bytes.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		byHand, err := Open(dir, Options{UID: os.Getuid()})
		if err != nil {
			t.Fatal(err)
		}
		found, err := byHand.Find("alpha", Latest)
		if err != nil {
			t.Fatal(err)
		}
		assertContent(t, byHand, found, sampleHome())
	}
}

func TestExportSaysWhenTheArchiveIsDamaged(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	content, err := os.ReadFile(b.ArchivePath())
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(b.ArchivePath(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	err = s.Export(t.Context(), b, io.Discard, ExportOptions{Scratch: t.TempDir()})
	if damage, ok := errors.AsType[*archive.DamageError](err); !ok || damage.Kind != archive.DamageDigest {
		t.Errorf("err = %v", err)
	}
}

// parts are the files of a backup.
type parts struct{ manifest, index, archive string }

func partsOf(t testing.TB, b Backup) parts {
	t.Helper()
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(b.Dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return string(content)
	}
	return parts{read(archive.ManifestName), read(archive.IndexName), read(b.Manifest.Archive.File)}
}

// forged is p after a change of its manifest or index, under a seal that fits.
func (p parts) forged(t testing.TB, change func(*archive.Manifest)) parts {
	t.Helper()
	m, err := archive.DecodeManifest([]byte(p.manifest), false)
	if err == nil && m.IndexFile != nil {
		err = m.TakeIndex([]byte(p.index), nil, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.Index = listed(t, m.Index)
	change(m)
	if m.IndexFile != nil && m.Index != nil {
		var index bytes.Buffer
		err = m.EncodeIndex(&index)
		sum := sha256.Sum256(index.Bytes())
		p.index = index.String()
		m.IndexFile = &archive.ArchiveFile{File: m.IndexFile.File, Bytes: int64(index.Len()), SHA256: hex.EncodeToString(sum[:])}
	}
	text, encodeErr := m.Encode()
	if err := errors.Join(err, encodeErr); err != nil {
		t.Fatal(err)
	}
	p.manifest = string(text)
	return p
}

// listed is an index with its entries in memory, where they can be changed.
func listed(t testing.TB, x *archive.Index) *archive.Index {
	t.Helper()
	var err error
	all := &archive.Index{Frames: x.Frames, Runs: x.Runs, Entries: slices.Collect(x.All(&err))}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// tar is what an export of p is.
func (p parts) tar(t testing.TB, folder string, more ...string) []byte {
	t.Helper()
	names := []string{folder + "/" + archive.ManifestName, p.manifest}
	if p.index != "" {
		names = append(names, folder+"/"+archive.IndexName, p.index)
	}
	return backuptest.TarOf(t, append(append(names, folder+"/"+archive.ArchiveName, p.archive), more...)...)
}

func TestImportRefusesWhatItCannotProve(t *testing.T) {
	from := testStore(t, Options{})
	b := create(t, from, newOf("alpha"), sampleHome()...)
	p, folder := partsOf(t, b), "alpha/"+b.ID
	if got, err := testStore(t, Options{}).Import(t.Context(), bytes.NewReader(p.forged(t, func(*archive.Manifest) {}).tar(t, folder)), nil); err != nil {
		t.Fatalf("what was not changed: %+v, %v", got, err)
	}
	forged := func(change func(*archive.Manifest)) []byte { return p.forged(t, change).tar(t, folder) }
	flipped := func(text string) string {
		return text[:len(text)/2] + string(text[len(text)/2]^8) + text[len(text)/2+1:]
	}
	m, a, whole := folder+"/"+archive.ManifestName, folder+"/"+archive.ArchiveName, exported(t, from, b)
	for name, text := range map[string][]byte{
		"nothing": {}, "no tar": []byte("hello"), "cut": whole[:len(whole)*2/3], "no archive": backuptest.TarOf(t, m, p.manifest),
		"archive first": backuptest.TarOf(t, a, p.archive, m, p.manifest), "no index file": parts{p.manifest, "", p.archive}.tar(t, folder),
		"flipped": parts{p.manifest, p.index, flipped(p.archive)}.tar(t, folder), "flipped index": parts{p.manifest, flipped(p.index), p.archive}.tar(t, folder),
		"short archive": parts{p.manifest, p.index, p.archive[:100]}.tar(t, folder), "other place": p.tar(t, "../../etc"),
		"more":            p.tar(t, folder, "../../evil", "x"),
		"name climbs":     p.forged(t, func(m *archive.Manifest) { m.Sandbox = ".." }).tar(t, "../"+b.ID),
		"id climbs":       p.forged(t, func(m *archive.Manifest) { m.ID = "../../x" }).tar(t, "alpha/x"),
		"archive climbs":  forged(func(m *archive.Manifest) { m.Archive.File = "../evil" }),
		"index climbs":    forged(func(m *archive.Manifest) { m.IndexFile.File = "../evil" }),
		"only a part":     forged(func(m *archive.Manifest) { m.Archive.File = archive.PackName }),
		"another's block": forged(func(m *archive.Manifest) { m.Index.Runs[0].Pack = "20200101T000000Z-0000" }),
		"huge run":        forged(func(m *archive.Manifest) { m.Index.Runs[0].Count = 1 << 31 }),
		"no run":          forged(func(m *archive.Manifest) { m.Index.Runs = nil }),
		"other order":     forged(func(m *archive.Manifest) { m.Index.Runs[0].From++; m.Index.Runs[0].Count-- }),
		"missing entry":   forged(func(m *archive.Manifest) { m.Index.Entries = m.Index.Entries[1:]; m.Content.Entries-- }),
		"entry renamed":   forged(func(m *archive.Manifest) { m.Index.Entries[2].Path = "notes/b.md" }),
		"entry's mode":    forged(func(m *archive.Manifest) { m.Index.Entries[2].Mode = 0o4755 }),
		"entry's digest":  forged(func(m *archive.Manifest) { m.Index.Entries[2].Digest = strings.Repeat("0", 32) }),
		"digest of all":   forged(func(m *archive.Manifest) { m.Archive.SHA256 = strings.Repeat("0", 64) }),
		"content digest":  forged(func(m *archive.Manifest) { m.Content.Digest = strings.Repeat("0", 64) }),
		"schema mixed":    forged(func(m *archive.Manifest) { m.Schema = archive.SchemaArchive }),
	} {
		assertRefused(t, name, text)
	}
}

// A backup that says that its archive is whole, and takes its blocks from others that the store has, would be exported without them.
func TestImportTakesNothingFromOtherBackups(t *testing.T) {
	s := testStore(t, Options{})
	have := create(t, s, newOf("alpha"), sampleHome()...)
	from := testStore(t, Options{})
	b := create(t, from, newOf("alpha"), sampleHome()...)
	text := partsOf(t, b).forged(t, func(m *archive.Manifest) { m.Index.Runs[0].Pack = have.ID }).tar(t, "alpha/"+b.ID)
	if got, err := s.Import(t.Context(), bytes.NewReader(text), nil); err == nil {
		t.Errorf("imported %+v", got)
	}
}

func assertRefused(t *testing.T, name string, text []byte) {
	t.Helper()
	to := testStore(t, Options{})
	if got, err := to.Import(t.Context(), bytes.NewReader(text), nil); err == nil {
		t.Errorf("%s: imported %+v", name, got)
	}
	assertNothingLeft(t, to)
	if evil, _ := filepath.Glob(filepath.Join(filepath.Dir(to.Root()), "*vil*")); len(evil) > 0 {
		t.Errorf("%s: written outside: %v", name, evil)
	}
}

func FuzzImport(f *testing.F) {
	from := testStore(f, Options{})
	b := create(f, from, newOf("alpha"), folderItem("."), fileItem("a", "b"))
	p := partsOf(f, b)
	f.Add(p.manifest, p.index, p.archive)
	f.Add(p.manifest, p.index, "")
	f.Add(p.manifest, "", p.archive)
	f.Fuzz(func(t *testing.T, manifest, index, packed string) {
		to := testStore(t, Options{})
		if open := strings.LastIndex(manifest, archive.SealHead); open >= 0 {
			manifest = string(archive.Seal([]byte(manifest[:open]))) // past the seal
		}
		got, err := to.Import(t.Context(), bytes.NewReader(parts{manifest, index, packed}.tar(t, "alpha/"+b.ID)), nil)
		if err != nil {
			assertNothingLeft(t, to)
			return
		}
		if err := to.Verify(t.Context(), got, true); err != nil {
			t.Errorf("imported, and damaged: %v", err)
		}
	})
}

// A backup whose id names a moment to come would be the latest one for as long as that; one after which no id sorts would end all backups.
func TestImportRefusesTheFuture(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 15, 0, 0, time.UTC)
	ahead := testStore(t, Options{Now: func() time.Time { return now.AddDate(2, 0, 0) }})
	text := exported(t, ahead, create(t, ahead, newOf("alpha"), folderItem(".")))

	s := testStore(t, Options{Now: func() time.Time { return now }})
	if _, err := s.Import(t.Context(), bytes.NewReader(text), nil); err == nil || !strings.Contains(err.Error(), "still to come") {
		t.Errorf("imported from the future: %v", err)
	}
	if left, err := s.Backups("alpha"); len(left) != 0 || err != nil {
		t.Errorf("it is listed: %v, %v", left, err)
	}

	last := testStore(t, Options{Rand: backuptest.Zeros{}, Now: func() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }})
	create(t, last, newOf("alpha"), folderItem("."))
	if _, err := last.Create(t.Context(), newOf("alpha"), fillWith(folderItem("."))); err == nil || !strings.Contains(err.Error(), "no id sorts") {
		t.Errorf("a backup after the last one: %v", err)
	}
}
