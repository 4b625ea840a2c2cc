package store

import (
	"bytes"
	"cmp"
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

func TestVerifyPassesWhatCreateMade(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	for _, readData := range []bool{false, true} {
		if err := s.Verify(t.Context(), b, readData); err != nil {
			t.Errorf("readData %v: %v", readData, err)
		}
	}
	if b.Verified != nil {
		t.Error("a new backup claims to be verified")
	}
	if err := s.MarkVerified(b, true); err != nil {
		t.Fatal(err)
	}
	found, err := s.Find("alpha", Latest)
	if err != nil || found.Verified == nil || !found.Verified.ReadData {
		t.Errorf("the verification was forgotten: %+v, %v", found.Verified, err)
	}
}

// flipRounds is how many bits are flipped: SANDKEEPER_SOAK=1 in the environment of the tests asks for 10,000.
func flipRounds() int {
	if _, soak := os.LookupEnv("SANDKEEPER_SOAK"); soak {
		return 10_000
	}
	if testing.Short() {
		return 40
	}
	return 200
}

// A bit that is flipped in any file of a series is found: by the backup that has the file, and also where all backups of the
// series are verified together and each frame is read once.
func TestVerifyFindsEverySingleFlippedBit(t *testing.T) {
	s := testStore(t, Options{})
	first := create(t, s, newOf("alpha"), sampleHome()...)
	second := create(t, s, newOf("alpha"), append(sampleHome(), fileItem("notes/new", "written later"), fileItem("more", strings.Repeat("fedcba98", 5<<15)))...)
	if second.Manifest.Archive.File != archive.PackName {
		t.Fatalf("the second backup is %s: it shares nothing", second.Manifest.Archive.File)
	}
	together := func() error {
		proofs := Proofs{}
		_, ofFirst := s.VerifyWith(t.Context(), first, VerifyOptions{ReadData: true, Proofs: proofs})
		_, ofSecond := s.VerifyWith(t.Context(), second, VerifyOptions{ReadData: true, Proofs: proofs})
		return cmp.Or(ofFirst, ofSecond)
	}
	pick := rand.New(rand.NewPCG(1, 2))
	for _, b := range []Backup{first, second} {
		for _, name := range []string{b.Manifest.Archive.File, archive.IndexName, archive.ManifestName} {
			alone := func() error { return s.Verify(t.Context(), b, true) }
			findsFlips(t, pick, filepath.Join(b.Dir, name), alone, together)
		}
	}
	if err := together(); err != nil {
		t.Fatalf("restored bytes: %v", err)
	}

	flips(t, pick, first.ArchivePath(), func(bit int) {
		_, read := s.VerifyWith(t.Context(), second, VerifyOptions{ReadData: true})
		_, proven := s.VerifyWith(t.Context(), second, VerifyOptions{ReadData: true, Proofs: Proofs{}})
		if read != nil && proven == nil {
			t.Errorf("bit %d of what the second backup shares with the first: not found where frames are read once; else %v", bit, read)
		}
	})
}

// findsFlips expects each verification to name every flip in the file at path as damage.
func findsFlips(t *testing.T, pick *rand.Rand, path string, verifications ...func() error) {
	t.Helper()
	flips(t, pick, path, func(bit int) {
		for i, verify := range verifications {
			err := verify()
			damage, ok := errors.AsType[*archive.DamageError](err)
			if !ok || damage.Kind == "" || !strings.Contains(damage.Error(), filepath.Base(path)) {
				t.Errorf("%s, bit %d, verification %d: %v", path, bit, i, err)
			}
		}
	})
}

// flips flips bits of the file at path, one at a time.
func flips(t *testing.T, pick *rand.Rand, path string, flipped func(bit int)) {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range flipRounds() / 6 {
		bit := pick.IntN(8 * len(whole))
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		flipped(bit)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyNamesTheKindOfDamage(t *testing.T) {
	read := func(t *testing.T, path string) []byte {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	for name, c := range map[string]struct {
		want   archive.DamageKind
		file   string
		quick  bool // found without reading the data
		damage func(content []byte, other Backup) []byte
	}{
		"cut archive":      {archive.DamageTruncated, archive.ArchiveName, true, func(c []byte, _ Backup) []byte { return c[:len(c)-1] }},
		"empty archive":    {archive.DamageTruncated, archive.ArchiveName, true, func([]byte, Backup) []byte { return []byte{} }},
		"longer archive":   {archive.DamageExtended, archive.ArchiveName, true, func(c []byte, _ Backup) []byte { return append(c, 0) }},
		"zeroed archive":   {archive.DamageTable, archive.ArchiveName, true, func(c []byte, _ Backup) []byte { return make([]byte, len(c)) }},
		"zeroed frame":     {archive.DamageFrame, archive.ArchiveName, false, func(c []byte, _ Backup) []byte { clear(c[100:200]); return c }},
		"archive swapped":  {archive.DamageContent, archive.ArchiveName, true, func(c []byte, o Backup) []byte { return append(read(t, o.ArchivePath()), c...)[:len(c)] }},
		"archive missing":  {archive.DamageArchiveMissing, archive.ArchiveName, true, func([]byte, Backup) []byte { return nil }},
		"index missing":    {archive.DamageIndex, archive.IndexName, true, func([]byte, Backup) []byte { return nil }},
		"index swapped":    {archive.DamageIndex, archive.IndexName, true, func(_ []byte, o Backup) []byte { return read(t, filepath.Join(o.Dir, archive.IndexName)) }},
		"manifest missing": {archive.DamageManifest, archive.ManifestName, true, func([]byte, Backup) []byte { return nil }},
		"manifest cut":     {archive.DamageSeal, archive.ManifestName, true, func(c []byte, _ Backup) []byte { return c[:len(c)/2] }},
		"manifest empty":   {archive.DamageSeal, archive.ManifestName, true, func([]byte, Backup) []byte { return []byte{} }},
		"manifest longer":  {archive.DamageSeal, archive.ManifestName, true, func(c []byte, _ Backup) []byte { return append(c, '\n') }},
		"manifest swapped": {archive.DamageSwapped, archive.ManifestName, true, func(_ []byte, o Backup) []byte { return read(t, filepath.Join(o.Dir, archive.ManifestName)) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := testStore(t, Options{})
			items := []item{folderItem("."), fileItem("a", bulk(1, 1))}
			b := create(t, s, newOf("alpha"), items...)
			items[1].body = bulk(2, 1)
			fresh := newOf("alpha")
			fresh.Fresh = true
			other := create(t, s, fresh, items...)
			path := filepath.Join(b.Dir, c.file)
			content := c.damage(read(t, path), other)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if content != nil {
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := s.Verify(t.Context(), b, true)
			damage, ok := errors.AsType[*archive.DamageError](err)
			if !ok || damage.Kind != c.want || !strings.Contains(damage.Object+archive.ManifestName, c.file) {
				t.Errorf("err = %v, want %s", err, c.want)
			}
			if quick := s.Verify(t.Context(), b, false); (quick != nil) != c.quick {
				t.Errorf("without reading data: %v", quick)
			}
			if latest, err := s.Find("alpha", Latest); err != nil || c.file == archive.ManifestName && latest.ID == b.ID {
				t.Errorf("latest = %q, %v", latest.ID, err)
			}
			list, err := s.Backups("alpha")
			if err != nil || len(list) != 2 {
				t.Errorf("listed %d, %v; a damaged one must not be hidden", len(list), err)
			}
		})
	}
}

func TestVerifyProvesEncryptedBackups(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	s := testStore(t, Options{})
	n := newOf("alpha")
	n.Recipients = []string{key.Recipient().String()}
	b := create(t, s, n, sampleHome()...)
	manifest, err := os.ReadFile(filepath.Join(b.Dir, archive.ManifestName))
	if err != nil || bytes.Contains(manifest, []byte(`"digest":"`)) {
		t.Errorf("the manifest of an encrypted backup lets guesses be tested: %v", err)
	}
	for name, c := range map[string]struct {
		ids       archive.Identities
		decrypted bool
	}{"no key": {nil, false}, "another key": {archive.Identities{stranger}, false}, "the key": {archive.Identities{key}, true}} {
		v, err := s.VerifyWith(t.Context(), b, VerifyOptions{ReadData: true, Identities: c.ids})
		if err != nil || v.Decrypted != c.decrypted {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
		if err := s.Prove(t.Context(), b, c.ids); c.decrypted != (err == nil) || !c.decrypted && !errors.Is(err, archive.ErrNoIdentity) {
			t.Errorf("%s proves what is in it: %v", name, err)
		}
	}
	if _, err := s.Open(t.Context(), b, archive.OpenOptions{}); !errors.Is(err, archive.ErrNoIdentity) {
		t.Errorf("open without a key: %v", err)
	}
	whole, err := os.ReadFile(b.ArchivePath())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, len(whole) / 2, len(whole) - 1} {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 4
		if err := os.WriteFile(b.ArchivePath(), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, ids := range []archive.Identities{nil, {key}} {
			_, err := s.VerifyWith(t.Context(), b, VerifyOptions{ReadData: true, Identities: ids})
			if _, ok := errors.AsType[*archive.DamageError](err); !ok {
				t.Errorf("byte %d, %d keys: %v", at, len(ids), err)
			}
		}
	}
}

func TestOpenGivesBackWhatWasAdded(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	r, err := s.Open(t.Context(), b, archive.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, want := range sampleHome() {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil || string(body) != want.body || archive.CleanName(h.Name) != archive.CleanName(want.header.Name) {
			t.Errorf("%q: %d bytes, %v; want %q with %d", h.Name, len(body), err, want.header.Name, len(want.body))
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("end: %v", err)
	}
}

func TestOpenStopsEarlyWithoutWaiting(t *testing.T) {
	s := testStore(t, Options{})
	var items []item
	for i := range 12 {
		items = append(items, fileItem(fmt.Sprint("f", i), strings.Repeat(fmt.Sprint(i), 2<<20)))
	}
	r, err := s.Open(t.Context(), create(t, s, newOf("alpha"), items...), archive.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
}
