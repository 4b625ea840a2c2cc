package store

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
)

// bulk is content that takes several frames and does not compress.
func bulk(seed uint64, megabytes int) string {
	content := make([]byte, megabytes<<20)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(content)
	return string(content)
}

func TestUnchangedContentIsNotStoredTwice(t *testing.T) {
	s := testStore(t, Options{})
	items := append(sampleHome(), fileItem("bulk", bulk(1, 9)))
	first := create(t, s, newOf("alpha"), items...)
	second := create(t, s, newOf("alpha"), items...)
	if got := second.Manifest; got.Blocks.Added != 0 || got.Archive.Bytes > 200 || got.Content != first.Manifest.Content || first.ID == second.ID {
		t.Errorf("the same content was stored twice: %+v in %d bytes", got.Blocks, got.Archive.Bytes)
	}
	if err := s.Remove(t.Context(), first, nil); err != nil {
		t.Fatal(err)
	}
	assertContent(t, s, second, items)
}

func TestChangedContentIsStoredAlone(t *testing.T) {
	body := bulk(1, 12)
	changed := body[:7<<20] + "changed" + body[7<<20+7:]
	for name, c := range map[string]struct {
		items []item
		most  int64 // megabytes
	}{
		"changed in the middle": {[]item{folderItem("."), fileItem("bulk", changed)}, 1},
		"grown":                 {[]item{folderItem("."), fileItem("bulk", body), fileItem("more", bulk(2, 3))}, 4},
		"shrunk":                {[]item{folderItem("."), fileItem("bulk", body[:5<<20])}, 1},
		"renamed":               {[]item{folderItem("."), fileItem("alk", body)}, 1},
		"empty":                 {[]item{folderItem(".")}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := testStore(t, Options{})
			first := create(t, s, newOf("alpha"), folderItem("."), fileItem("bulk", body))
			second := create(t, s, newOf("alpha"), c.items...)
			if second.Manifest.Archive.Bytes > c.most<<20 {
				t.Errorf("%d bytes were stored", second.Manifest.Archive.Bytes)
			}
			assertContent(t, s, second, c.items)
			assertContent(t, s, first, []item{folderItem("."), fileItem("bulk", body)})
			if zstd, err := exec.LookPath("zstd"); err == nil {
				if text, err := exec.Command(zstd, "-tq", second.ArchivePath()).CombinedOutput(); err != nil {
					t.Errorf("zstd -t: %v\n%s", err, text)
				}
			}
		})
	}
}

// assertContent verifies b and compares it byte for byte.
func assertContent(t *testing.T, s *Store, b Backup, want []item) {
	t.Helper()
	assertOpened(t, s, b, want, nil)
}

// assertOpened is assertContent with keys.
func assertOpened(t *testing.T, s *Store, b Backup, want []item, ids archive.Identities) {
	t.Helper()
	if v, err := s.VerifyWith(t.Context(), b, VerifyOptions{ReadData: true, Identities: ids}); err != nil || !v.Decrypted {
		t.Fatalf("%s: %+v, %v", b.ID, v, err)
	}
	r, err := s.Open(t.Context(), b, archive.OpenOptions{Identities: ids})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, w := range want {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != w.body {
			t.Fatalf("%q differs, %v", w.header.Name, err)
		}
	}
}

func TestDamagedPreviousBackupIsNeverBuiltOn(t *testing.T) {
	items := []item{folderItem("."), fileItem("bulk", bulk(1, 12))}
	for at, wantFills := range map[int64]int{1000: 2, 5 << 20: 2, 12<<20 + 3<<10: 1} { // the last one is in the table: nothing of it is known
		s := testStore(t, Options{})
		first := create(t, s, newOf("alpha"), items...)
		f, err := os.OpenFile(first.ArchivePath(), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt([]byte("damaged"), at)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		fills := 0
		second, err := s.Create(t.Context(), newOf("alpha"), func(ctx context.Context, a *archive.Archive) error {
			fills++
			return fillWith(items...)(ctx, a)
		})
		if err != nil || fills != wantFills || wantFills == 2 == second.Manifest.SelfContained() {
			t.Errorf("damage at %d: filled %d times, %v", at, fills, err)
		}
		assertContent(t, s, second, items)
	}
}

// No link is followed: an archive that was moved away, with a symbolic link in its place, is not relied on.
func TestArchiveBehindASymbolicLinkIsNeverBuiltOn(t *testing.T) {
	items := []item{folderItem("."), fileItem("bulk", bulk(1, 12))}
	s := testStore(t, Options{})
	first := create(t, s, newOf("alpha"), items...)
	elsewhere := filepath.Join(t.TempDir(), "archive")
	if err := errors.Join(os.Rename(first.ArchivePath(), elsewhere), os.Symlink(elsewhere, first.ArchivePath())); err != nil {
		t.Fatal(err)
	}
	second := create(t, s, newOf("alpha"), items...)
	assertContent(t, s, second, items)
	if err := s.Verify(t.Context(), second, true); err != nil {
		t.Error(err)
	}
}

func TestCreateLeavesNothingWhenTheFillFails(t *testing.T) {
	s := testStore(t, Options{})
	broken := errors.New("engine went away")
	_, err := s.Create(t.Context(), newOf("alpha"), func(ctx context.Context, a *archive.Archive) error {
		return errors.Join(fillWith(fileItem("bulk", bulk(1, 9)))(ctx, a), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
	assertNothingLeft(t, s)
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Create(t.Context(), newOf("alpha"), func(context.Context, *archive.Archive) error { panic("bug") })
		t.Error("the panic was swallowed")
	}()
	assertNothingLeft(t, s)
}

func TestCreateRefusesNamesThatAreNoFolder(t *testing.T) {
	s := testStore(t, Options{})
	for _, name := range []string{"", ".", "..", "a/b", ".tmp-x", "-rf", "a\x00b", "a\nb", strings.Repeat("n", 201), `a\b`, "\xff", "_gateway"} {
		if _, err := s.Create(t.Context(), newOf(name), fillWith()); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
	if _, err := os.Stat(s.Root()); err == nil {
		t.Error("a refused name left a store behind")
	}
}

func TestCreateKeepsModesPrivate(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	err := filepath.WalkDir(s.Root(), func(path string, d os.DirEntry, err error) error {
		info, statErr := d.Info()
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if statErr == nil && info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		return errors.Join(err, statErr)
	})
	if err != nil || b.Manifest.Content.Files != 7 {
		t.Errorf("%v, %d files", err, b.Manifest.Content.Files)
	}
}
