package store

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/backuptest"
)

func exported(t testing.TB, s *Store, b Backup) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := s.Export(t.Context(), b, &out); err != nil {
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
	err = s.Export(t.Context(), b, io.Discard)
	if damage, ok := errors.AsType[*archive.DamageError](err); !ok || damage.Kind != archive.DamageDigest {
		t.Errorf("err = %v", err)
	}
}

func TestImportRefusesWhatItCannotProve(t *testing.T) {
	from := testStore(t, Options{})
	b := create(t, from, newOf("alpha"), sampleHome()...)
	manifest, err := os.ReadFile(filepath.Join(b.Dir, archive.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile(b.ArchivePath())
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(packed)
	flipped[len(flipped)/2] ^= 8
	forged := func(change func(*archive.Manifest)) string {
		m, err := archive.DecodeManifest(manifest, false)
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		text, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	m, a, whole := "alpha/"+b.ID+"/"+archive.ManifestName, "alpha/"+b.ID+"/"+archive.ArchiveName, exported(t, from, b)
	for name, text := range map[string][]byte{
		"nothing": {}, "no tar": []byte("hello"), "cut": whole[:len(whole)*2/3], "no archive": backuptest.TarOf(t, m, string(manifest)),
		"archive first": backuptest.TarOf(t, a, string(packed), m, string(manifest)), "flipped": backuptest.TarOf(t, m, string(manifest), a, string(flipped)),
		"short archive": backuptest.TarOf(t, m, string(manifest), a, string(packed[:100])), "other place": backuptest.TarOf(t, "../../etc/"+archive.ManifestName, string(manifest), a, string(packed)),
		"more":           backuptest.TarOf(t, m, string(manifest), a, string(packed), "../../evil", "x"),
		"name climbs":    backuptest.TarOf(t, "../"+b.ID+"/"+archive.ManifestName, forged(func(m *archive.Manifest) { m.Sandbox = ".." }), a, string(packed)),
		"id climbs":      backuptest.TarOf(t, "alpha/x/"+archive.ManifestName, forged(func(m *archive.Manifest) { m.ID = "../../x" }), a, string(packed)),
		"archive climbs": backuptest.TarOf(t, m, forged(func(m *archive.Manifest) { m.Archive.File = "../evil" }), "alpha/"+b.ID+"/../evil", string(packed)),
		"huge frame":     backuptest.TarOf(t, m, forged(func(m *archive.Manifest) { m.Index.Frames[0].Raw = 1 << 50 }), a, string(packed)),
		"no index":       backuptest.TarOf(t, m, forged(func(m *archive.Manifest) { m.Index = nil }), a, string(packed)),
		"missing entry":  backuptest.TarOf(t, m, forged(func(m *archive.Manifest) { m.Index.Entries = m.Index.Entries[1:]; m.Content.Entries-- }), a, string(packed)),
		"entry renamed":  backuptest.TarOf(t, m, forged(func(m *archive.Manifest) { m.Index.Entries[2].Path = "notes/b.md" }), a, string(packed)),
		"entry's mode":   backuptest.TarOf(t, m, forged(func(m *archive.Manifest) { m.Index.Entries[2].Mode = 0o4755 }), a, string(packed)),
		"entry's digest": backuptest.TarOf(t, m, forged(func(m *archive.Manifest) { m.Index.Entries[2].Digest = strings.Repeat("0", 32) }), a, string(packed)),
		"frame's digest": backuptest.TarOf(t, m, forged(func(m *archive.Manifest) {
			m.Index.Frames[0].Digest = strings.Repeat("0", 32) // what a later backup would be compared with
			m.Content.Digest = archive.ContentDigest(m.Index.Frames)
		}), a, string(packed)),
		"digest of all":   backuptest.TarOf(t, m, forged(func(m *archive.Manifest) { m.Archive.SHA256 = strings.Repeat("0", 64) }), a, string(packed)),
		"negative frames": backuptest.TarOf(t, m, forged(func(m *archive.Manifest) { m.Index.Frames[0].Size = -1 }), a, string(packed)),
	} {
		to := testStore(t, Options{})
		if got, err := to.Import(t.Context(), bytes.NewReader(text), nil); err == nil {
			t.Errorf("%s: imported %+v", name, got)
		}
		assertNothingLeft(t, to)
		if evil, _ := filepath.Glob(filepath.Join(filepath.Dir(to.Root()), "*vil*")); len(evil) > 0 {
			t.Errorf("%s: written outside: %v", name, evil)
		}
	}
}

func FuzzImport(f *testing.F) {
	from := testStore(f, Options{})
	b := create(f, from, newOf("alpha"), folderItem("."), fileItem("a", "b"))
	manifest, err := os.ReadFile(filepath.Join(b.Dir, archive.ManifestName))
	if err != nil {
		f.Fatal(err)
	}
	packed, err := os.ReadFile(b.ArchivePath())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(manifest), string(packed))
	f.Add(string(manifest), "")
	f.Fuzz(func(t *testing.T, manifest, packed string) {
		to := testStore(t, Options{})
		if open := strings.LastIndex(manifest, archive.SealHead); open >= 0 {
			manifest = string(archive.Seal([]byte(manifest[:open]))) // past the seal
		}
		text := backuptest.TarOf(t, "alpha/"+b.ID+"/"+archive.ManifestName, manifest, "alpha/"+b.ID+"/"+archive.ArchiveName, packed)
		got, err := to.Import(t.Context(), bytes.NewReader(text), nil)
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
