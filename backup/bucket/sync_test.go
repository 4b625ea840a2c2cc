package bucket

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/buckettest"
	"sandkeeper/internal/storetest"
)

// fixture is a host with a store, and a bucket to bring it to.
type fixture struct {
	t      *testing.T
	server *buckettest.Server
	st     *store.Store
	key    *age.X25519Identity
	now    time.Time
	retain Retention
}

func newFixture(t *testing.T, lock bool) *fixture {
	t.Helper()
	f := &fixture{t: t, server: buckettest.Start(t), now: time.Now().UTC().Truncate(time.Second)}
	f.server.Bucket(t, "backups", lock)
	f.st = storetest.NewStore(t, store.Options{Tool: "test", Now: func() time.Time { return f.now }})
	var err error
	if f.key, err = age.GenerateX25519Identity(); err != nil {
		t.Fatal(err)
	}
	return f
}

// open is the place of a host in the bucket, by the endpoint that the environment names now.
func (f *fixture) open(host string) *Bucket {
	f.t.Helper()
	b, err := Open("s3://backups/fleet", Options{
		Host: host, Recipients: []string{f.key.Recipient().String()}, Identities: archive.Identities{f.key}, Retain: f.retain,
		Now: func() time.Time { return f.now }, Stall: 30 * time.Second, Warn: func(s string) { f.t.Log("warning: " + s) },
	})
	if err != nil {
		f.t.Fatal(err)
	}
	b.piece = 9 << 20
	return b
}

// save makes a backup of a home with a text of its own and a large file that never changes.
func (f *fixture) save(sandbox, text string, large int) store.Backup {
	f.t.Helper()
	f.now = f.now.Add(time.Minute)
	home := []backuptest.Entry{{Name: "note", Body: text}, {Name: "large", Body: noise(large)}}
	b, err := f.st.Create(f.t.Context(), storetest.LeastBackup(sandbox), func(_ context.Context, a *archive.Archive) error {
		for _, e := range home {
			if err := a.Add(e.Header(), strings.NewReader(e.Body)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// noise is a text that does not get smaller when it is packed.
func noise(n int) string {
	random := rand.NewChaCha8([32]byte{1})
	text := make([]byte, n)
	_, _ = random.Read(text)
	return string(text)
}

// sync brings the sandbox's backups into the bucket, as far as nothing is in the way, and notes that they were there.
func (f *fixture) sync(b *Bucket, sandbox string) (Pushed, error) {
	f.t.Helper()
	total, err := f.syncOf(f.t.Context(), b, f.st, sandbox)
	all, problem := f.st.Backups(sandbox)
	for _, each := range all {
		if err == nil && problem == nil {
			problem = f.st.MarkSynced(each, b.Address())
		}
	}
	if problem != nil {
		f.t.Fatal(problem)
	}
	return total, err
}

func (f *fixture) syncOf(ctx context.Context, b *Bucket, st *store.Store, sandbox string) (total Pushed, err error) {
	f.t.Helper()
	s, err := b.Begin(ctx, Writing, "machine-"+b.Host(), 1)
	if err != nil {
		return total, err
	}
	defer func() { _ = s.End(ctx) }() // what is left of it the next session takes away
	all, err := st.Backups(sandbox)
	if err != nil {
		f.t.Fatal(err)
	}
	missing, _ := s.Missing(sandbox, all)
	for _, each := range missing {
		p, err := s.Push(ctx, st, sandbox, each)
		total.Sent, total.Bytes, total.Shared = total.Sent+p.Sent, total.Bytes+p.Bytes, total.Shared+p.Shared
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (f *fixture) mustSync(b *Bucket, sandbox string) Pushed {
	f.t.Helper()
	p, err := f.sync(b, sandbox)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// view is what the bucket has, as a store.
func (f *fixture) view(b *Bucket) (*View, *store.Store) {
	f.t.Helper()
	root := filepath.Join(f.t.TempDir(), "view")
	if err := os.Mkdir(root, 0o700); err != nil {
		f.t.Fatal(err)
	}
	v, err := b.View(f.t.Context(), root)
	if err != nil {
		f.t.Fatal(err)
	}
	st, err := store.Open(root, store.Options{UID: os.Getuid(), Tool: "test"})
	if err != nil {
		f.t.Fatal(err)
	}
	return v, st
}

// assertSame fetches every backup that the host has of a sandbox and compares it with the host's, byte for byte.
func (f *fixture) assertSame(b *Bucket, sandbox string, want ...store.Backup) {
	f.t.Helper()
	v, st := f.view(b)
	have, err := st.Backups(sandbox)
	if err != nil || len(have) != len(want) {
		f.t.Fatalf("the bucket has %d backups, not %d: %v", len(have), len(want), err)
	}
	for _, w := range want {
		got, err := st.Find(sandbox, w.ID)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := v.Fetch(f.t.Context(), got); err != nil {
			f.t.Fatalf("fetch %s: %v", w.ID, err)
		}
		if got, err = st.Find(sandbox, w.ID); err != nil || !got.Whole() {
			f.t.Fatalf("%s is not whole: %v %v", w.ID, err, got.Damage)
		}
		if err := st.Verify(f.t.Context(), got, true); err != nil {
			f.t.Fatalf("verify %s: %v", w.ID, err)
		}
		if a, b := storetest.ContentOf(f.t, f.st, w), storetest.ContentOf(f.t, st, got); fmt.Sprint(a) != fmt.Sprint(b) {
			f.t.Fatalf("%s has other content", w.ID)
		}
	}
}

// What was saved on a host comes back from the bucket byte for byte; what backups share is there once; nothing in it can be read without the key.
func TestBackupsComeBackFromTheBucket(t *testing.T) {
	f := newFixture(t, false)
	b := f.open("host1")
	first := f.save("alpha", "one, secret-word", 11<<20)
	if p := f.mustSync(b, "alpha"); p.Bytes < 11<<20 || p.Shared != 0 {
		t.Errorf("the first one: %+v", p)
	}
	second := f.save("alpha", "two, secret-word", 11<<20)
	p := f.mustSync(f.open("host1"), "alpha")
	if p.Bytes > 1<<20 || p.Shared == 0 {
		t.Errorf("the second one was not small: %+v", p)
	}
	if p := f.mustSync(f.open("host1"), "alpha"); p.Sent != 0 {
		t.Errorf("nothing is new, and something was sent: %+v", p)
	}
	f.assertSame(f.open("host1"), "alpha", first, second)
	for key := range f.server.Keys(t, "backups") {
		if strings.Contains(key, busyFolder) {
			t.Errorf("a note of a session is left: %s", key)
		}
		text := readObject(t, f.open("host1"), key)
		for _, secret := range []string{"secret-word", "large", "note"} {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s says %q", key, secret)
			}
		}
	}
}

func readObject(t *testing.T, b *Bucket, key string) []byte {
	t.Helper()
	have, err := b.list(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(b.read(t.Context(), key, have[key].size))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWithoutRecipientsNothingIsWritten(t *testing.T) {
	f := newFixture(t, false)
	b := f.open("host1")
	b.o.Recipients = nil
	f.save("alpha", "one", 100)
	if _, err := f.sync(b, "alpha"); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("got %v", err)
	}
	if keys := f.server.Keys(t, "backups"); len(keys) != 0 {
		t.Errorf("something was written: %v", keys)
	}
}

// Promise: a backup that no restore would take does not leave the host, and hinders no other.
func TestAHostileBackupIsNotSent(t *testing.T) {
	f := newFixture(t, false)
	b := f.open("host1")
	f.now = f.now.Add(time.Minute)
	hostile, err := f.st.Create(t.Context(), storetest.LeastBackup("alpha"), func(_ context.Context, a *archive.Archive) error {
		return a.AddUnjudged(&tar.Header{Typeflag: tar.TypeSymlink, Name: ".", Linkname: "/root", Mode: 0o777}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.sync(b, "alpha")
	if damage, is := errors.AsType[*archive.DamageError](err); !is || damage.Object != `entry "."` {
		t.Errorf("%s: %v", hostile.ID, err)
	}
	if keys := f.server.Keys(t, "backups"); len(keys) != 0 {
		t.Errorf("something of it was sent: %v", keys)
	}
	f.save("beta", "one", 100)
	if p := f.mustSync(b, "beta"); p.Sent == 0 {
		t.Errorf("nothing of another was sent: %+v", p)
	}
}

// Promise: a backup that is damaged on the host is not announced in the bucket, and nothing of it is seen or locked
// there, whether none of its objects or all of them are there already.
func TestADamagedBackupIsNotSeenInTheBucket(t *testing.T) {
	f := newFixture(t, true)
	f.retain = Retention{Mode: Governance, For: time.Hour}
	proxy := f.server.Proxy(t)
	saved := f.save("alpha", "one", 40<<20)
	f.flip(saved)
	for _, piece := range []int64{1 << 20, 9 << 20} { // put in one request, and in parts
		b := f.open("host1")
		b.piece = piece
		f.assertRefused(b, saved)
		for key := range f.locks() {
			t.Errorf("%s was made", key)
		}
	}

	f.flip(saved) // whole again
	proxy.Judge(func(r *http.Request) *buckettest.Fault {
		if puts(r) && strings.HasSuffix(r.URL.Path, "/"+archive.ManifestName) {
			return &buckettest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	})
	if _, err := f.sync(f.open("host1"), "alpha"); err == nil {
		t.Fatal("the manifest was written")
	}
	proxy.Judge(func(*http.Request) *buckettest.Fault { return nil })
	before := f.locks()
	f.flip(saved)
	f.now = f.now.Add(10 * time.Minute)
	f.assertRefused(f.open("host1"), saved)
	if after := f.locks(); len(before) < 5 || !maps.Equal(before, after) {
		t.Errorf("objects and their locks changed from %v to %v", before, after)
	}

	f.flip(saved)
	f.mustSync(f.open("host1"), "alpha")
	f.assertSame(f.open("host1"), "alpha", saved)
}

// Promise: what is in a bucket is whole, or not seen. A backup that shares a damaged pack which is not in the bucket is
// refused like the damaged one; it was sent, and no restore took it.
func TestABackupThatSharesDamageIsNotSeenInTheBucket(t *testing.T) {
	f := newFixture(t, false)
	first := f.save("alpha", "one", 1<<20)
	second := f.save("alpha", "two", 1<<20)
	f.flip(first)
	s, err := f.open("host1").Begin(t.Context(), Writing, "machine", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []store.Backup{first, second} {
		p, err := s.Push(t.Context(), f.st, "alpha", b)
		if _, damaged := errors.AsType[*archive.DamageError](err); !damaged || p != (Pushed{}) {
			t.Errorf("%s: %+v, %v", b.ID, p, err)
		}
	}
	if err := s.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if locks := f.locks(); len(locks) != 0 {
		t.Errorf("the bucket has %v", locks)
	}
	f.flip(first)
	f.mustSync(f.open("host1"), "alpha")
	f.assertSame(f.open("host1"), "alpha", first, second)
}

// locks are the objects in the bucket but for notes of sessions, each with until when it is locked.
func (f *fixture) locks() map[string]string {
	f.t.Helper()
	found, b := map[string]string{}, f.open("host1")
	for key := range f.server.Keys(f.t, "backups") {
		if strings.Contains(key, busyFolder) {
			continue
		}
		if _, err := b.look(f.t.Context(), key); err != nil {
			f.t.Fatal(err)
		}
		found[key] = b.known(key).retain.until.UTC().Format(time.RFC3339)
	}
	return found
}

// flip turns a bit in the middle of a backup's archive; a second time, it turns it back.
func (f *fixture) flip(b store.Backup) {
	f.t.Helper()
	path := filepath.Join(b.Dir, b.Manifest.Archive.File)
	text, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// assertRefused proves that a sync names the archive as damaged, and counts nothing as sent.
func (f *fixture) assertRefused(b *Bucket, saved store.Backup) {
	f.t.Helper()
	p, err := f.sync(b, saved.Sandbox)
	damage, is := errors.AsType[*archive.DamageError](err)
	if !is || damage.Kind != archive.DamageDigest || !strings.HasPrefix(err.Error(), damage.Error()) {
		f.t.Errorf("got %v", err)
	}
	if p.Sent != 0 || p.Bytes != 0 {
		f.t.Errorf("%+v", p)
	}
}

// TestTheBucketsManifestHasNoPaths: whoever reads the bucket sees no path of a home, and not where it was read.
func TestTheBucketsManifestHasNoPaths(t *testing.T) {
	f := newFixture(t, false)
	m := &archive.Manifest{
		Parts: []string{"private/part"}, SkipPaths: []string{"private/skipped"}, Looked: &archive.Looked{Home: "/private/home"},
		Exclusions: []archive.Exclusion{{Path: "private/left-out", Kind: archive.LeftOutCredential}},
	}
	text, err := f.open("host1").public(m, nil).Encode()
	if err != nil || bytes.Contains(text, []byte("private")) {
		t.Errorf("%s, %v", text, err)
	}
}
