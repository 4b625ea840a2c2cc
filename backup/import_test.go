package backup

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
	from, to := testStore(t, StoreOptions{}), testStore(t, StoreOptions{})
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
		byHand, err := OpenStore(dir, StoreOptions{UID: os.Getuid()})
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
	s := testStore(t, StoreOptions{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	content, err := os.ReadFile(b.archivePath())
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(b.archivePath(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	err = s.Export(t.Context(), b, io.Discard)
	if damage, ok := errors.AsType[*DamageError](err); !ok || damage.Kind != DamageDigest {
		t.Errorf("err = %v", err)
	}
}

func TestImportRefusesWhatItCannotProve(t *testing.T) {
	from := testStore(t, StoreOptions{})
	b := create(t, from, newOf("alpha"), sampleHome()...)
	manifest, err := os.ReadFile(filepath.Join(b.Dir, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(b.archivePath())
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(archive)
	flipped[len(flipped)/2] ^= 8
	forged := func(change func(*Manifest)) string {
		m, err := decodeManifest(manifest, false)
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		text, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	m, a, whole := "alpha/"+b.ID+"/"+manifestName, "alpha/"+b.ID+"/"+archiveName, exported(t, from, b)
	for name, text := range map[string][]byte{
		"nothing": {}, "no tar": []byte("hello"), "cut": whole[:len(whole)*2/3], "no archive": tarOf(t, m, string(manifest)),
		"archive first": tarOf(t, a, string(archive), m, string(manifest)), "flipped": tarOf(t, m, string(manifest), a, string(flipped)),
		"short archive": tarOf(t, m, string(manifest), a, string(archive[:100])), "other place": tarOf(t, "../../etc/"+manifestName, string(manifest), a, string(archive)),
		"more":           tarOf(t, m, string(manifest), a, string(archive), "../../evil", "x"),
		"name climbs":    tarOf(t, "../"+b.ID+"/"+manifestName, forged(func(m *Manifest) { m.Sandbox = ".." }), a, string(archive)),
		"id climbs":      tarOf(t, "alpha/x/"+manifestName, forged(func(m *Manifest) { m.ID = "../../x" }), a, string(archive)),
		"archive climbs": tarOf(t, m, forged(func(m *Manifest) { m.Archive.File = "../evil" }), "alpha/"+b.ID+"/../evil", string(archive)),
		"huge frame":     tarOf(t, m, forged(func(m *Manifest) { m.Index.Frames[0].Raw = 1 << 50 }), a, string(archive)),
		"no index":       tarOf(t, m, forged(func(m *Manifest) { m.Index = nil }), a, string(archive)),
		"missing entry":  tarOf(t, m, forged(func(m *Manifest) { m.Index.Entries = m.Index.Entries[1:]; m.Content.Entries-- }), a, string(archive)),
		"entry renamed":  tarOf(t, m, forged(func(m *Manifest) { m.Index.Entries[2].Path = "notes/b.md" }), a, string(archive)),
		"entry's mode":   tarOf(t, m, forged(func(m *Manifest) { m.Index.Entries[2].Mode = 0o4755 }), a, string(archive)),
		"entry's digest": tarOf(t, m, forged(func(m *Manifest) { m.Index.Entries[2].Digest = strings.Repeat("0", 32) }), a, string(archive)),
		"frame's digest": tarOf(t, m, forged(func(m *Manifest) {
			m.Index.Frames[0].Digest = strings.Repeat("0", 32) // what a later backup would be compared with
			m.Content.Digest = contentDigest(m.Index.Frames)
		}), a, string(archive)),
		"digest of all":   tarOf(t, m, forged(func(m *Manifest) { m.Archive.SHA256 = strings.Repeat("0", 64) }), a, string(archive)),
		"negative frames": tarOf(t, m, forged(func(m *Manifest) { m.Index.Frames[0].Size = -1 }), a, string(archive)),
	} {
		to := testStore(t, StoreOptions{})
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
	from := testStore(f, StoreOptions{})
	b := create(f, from, newOf("alpha"), folderItem("."), fileItem("a", "b"))
	manifest, err := os.ReadFile(filepath.Join(b.Dir, manifestName))
	if err != nil {
		f.Fatal(err)
	}
	archive, err := os.ReadFile(b.archivePath())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(manifest), string(archive))
	f.Add(string(manifest), "")
	f.Fuzz(func(t *testing.T, manifest, archive string) {
		to := testStore(t, StoreOptions{})
		if open := strings.LastIndex(manifest, sealHead); open >= 0 {
			manifest = string(seal([]byte(manifest[:open]))) // past the seal
		}
		text := tarOf(t, "alpha/"+b.ID+"/"+manifestName, manifest, "alpha/"+b.ID+"/"+archiveName, archive)
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
