package bucket

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/buckettest"
)

// puts reports whether a request writes content.
func puts(r *http.Request) bool { return r.Method == http.MethodPut }

// A server that cannot for a moment, and connections that end in the middle, are asked again, and cost nothing.
func TestPassingFaultsAreTriedAgain(t *testing.T) {
	f := newFixture(t, false)
	proxy := f.server.Proxy(t)
	first := f.save("alpha", "one", 11<<20)
	var n atomic.Int64
	proxy.Judge(func(r *http.Request) *buckettest.Fault {
		switch n.Add(1) % 5 {
		case 0:
			return &buckettest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}
		case 2:
			if r.Method == http.MethodGet && r.Header.Get("Range") != "" {
				return &buckettest.Fault{Cut: 1 << 20}
			}
			return &buckettest.Fault{Drop: true, Cut: 1000}
		}
		return nil
	})
	f.mustSync(f.open("host1"), "alpha")
	f.assertSame(f.open("host1"), "alpha", first)
}

// A pack that was fetched in part passes for nothing: neither for the next backup of the view, which shares it, nor when
// the first one is asked for again.
func TestAFetchThatBreaksOffLeavesNoPartOfAPack(t *testing.T) {
	f := newFixture(t, false)
	proxy := f.server.Proxy(t)
	f.save("alpha", "one", 11<<20)
	second := f.save("alpha", "two", 11<<20)
	third := f.save("alpha", "three", 11<<20)
	f.mustSync(f.open("host1"), "alpha")
	v, st := f.view(f.open("host1"))
	proxy.Judge(func(r *http.Request) *buckettest.Fault {
		if strings.HasPrefix(r.Header.Get("Range"), "bytes=8388608-") {
			return &buckettest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	})
	there, err := st.Find("alpha", second.ID)
	if err == nil {
		err = v.Fetch(t.Context(), there)
	}
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Kind != Denied {
		t.Fatalf("got %v", err)
	}
	proxy.Judge(func(*http.Request) *buckettest.Fault { return nil })
	for _, want := range []store.Backup{third, second} {
		got, err := st.Find("alpha", want.ID)
		if err == nil {
			err = v.Fetch(t.Context(), got)
		}
		if err == nil {
			got, err = st.Find("alpha", want.ID)
		}
		if err == nil {
			err = st.Verify(t.Context(), got, true)
		}
		if err != nil {
			t.Errorf("%s: %v", want.ID, err)
		}
	}
}

// An answer that stops coming is given up and asked for again.
func TestStalledAnswersAreGivenUp(t *testing.T) {
	f := newFixture(t, false)
	proxy := f.server.Proxy(t)
	first := f.save("alpha", "one", 1<<20)
	f.mustSync(f.open("host1"), "alpha")
	var slow atomic.Int64
	proxy.Judge(func(r *http.Request) *buckettest.Fault {
		if r.Header.Get("Range") != "" && strings.Contains(r.URL.Path, packsFolder) && slow.Add(1) == 1 {
			return &buckettest.Fault{Slow: 5 * time.Second}
		}
		return nil
	})
	b := f.open("host1")
	b.o.Stall = time.Second
	started := time.Now()
	f.assertSame(b, "alpha", first)
	if took := time.Since(started); took > 20*time.Second || slow.Load() < 2 {
		t.Errorf("took %s, asked %d times", took, slow.Load())
	}
}

// A file of this host that cannot be read is named as that: the bucket was, with the advice to look at its address.
func TestAFileOfThisHostIsNoFaultOfTheBucket(t *testing.T) {
	f := newFixture(t, false)
	b := f.open("host1")
	unreadable, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer unreadable.Close()
	short, err := os.Create(filepath.Join(t.TempDir(), "index.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	for _, file := range []*os.File{unreadable, short} {
		_, err = b.put(t.Context(), "key", func(w *writer) error {
			return b.seal(t.Context(), w, source{file: file, size: 10, read: new(atomic.Int64)}, archive.Object{File: "index.zst", Plain: 10})
		})
		if failed, is := errors.AsType[*Error](err); is || err == nil || !strings.Contains(err.Error(), file.Name()) {
			t.Errorf("got %v (%+v), want %s named", err, failed, file.Name())
		}
	}
	if _, damaged := errors.AsType[*archive.DamageError](err); !damaged {
		t.Errorf("a file that became shorter is no damage: %v", err)
	}
}

// What keeps failing is said with the object and the next command, and when it is over the next run takes up where this one ended.
func TestLastingFaultsNameTheObjectAndTheNextCommand(t *testing.T) {
	for name, c := range map[string]struct {
		fault buckettest.Fault
		kind  Kind
		hint  string
	}{
		"busy":        {buckettest.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}, Busy, "takes up where this one ended"},
		"skewed":      {buckettest.Fault{Status: http.StatusForbidden, Code: "RequestTimeTooSkewed"}, Skewed, "timedatectl"},
		"denied":      {buckettest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}, Denied, "AWS_PROFILE"},
		"unreachable": {buckettest.Fault{Drop: true}, Unreachable, "AWS_ENDPOINT_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, false)
			proxy := f.server.Proxy(t)
			first := f.save("alpha", "one", 2<<20)
			second := f.save("alpha", "two", 2<<20)
			proxy.Judge(func(r *http.Request) *buckettest.Fault {
				if puts(r) && strings.Contains(r.URL.Path, second.ID) {
					return &c.fault
				}
				return nil
			})
			_, err := f.sync(f.open("host1"), "alpha")
			failed, ok := errors.AsType[*Error](err)
			if !ok || failed.Kind != c.kind || !strings.Contains(failed.Object, second.ID) || !strings.Contains(failed.Hint, c.hint) {
				t.Fatalf("got %v (%+v)", err, failed)
			}
			if text := err.Error(); strings.Contains(text, buckettest.Secret) || strings.Contains(text, "RequestID") {
				t.Errorf("the text has what an operator does not want to see: %s", text)
			}
			f.assertSame(f.open("host1"), "alpha", first)
			proxy.Judge(func(*http.Request) *buckettest.Fault { return nil })
			if p := f.mustSync(f.open("host1"), "alpha"); p.Bytes > 1<<20 {
				t.Errorf("what was there was sent again: %+v", p)
			}
			f.assertSame(f.open("host1"), "alpha", first, second)
		})
	}
}

func TestWrongCredentialsAndMissingBucketAreSaid(t *testing.T) {
	f := newFixture(t, false)
	f.save("alpha", "one", 100)
	b := f.open("host1")
	b.name = "no-such-bucket"
	_, err := f.sync(b, "alpha")
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Kind != NoBucket || !strings.Contains(failed.Hint, "create-bucket") {
		t.Errorf("missing bucket: %v", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
	_, err = f.sync(f.open("host1"), "alpha")
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Kind != Denied || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("wrong secret: %v", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	_, err = f.sync(f.open("host1"), "alpha")
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Kind != Denied {
		t.Errorf("no credentials: %v", err)
	}
}

// A run that ends anywhere, at every request in turn, leaves no half backup, and the next one sends only what is missing.
func TestRunsThatEndAnywhereAreTakenUp(t *testing.T) {
	f := newFixture(t, false)
	proxy := f.server.Proxy(t)
	saved := []store.Backup{f.save("alpha", "one", 11<<20), f.save("alpha", "two", 11<<20)}
	var sent int64
	for at := int64(1); ; at++ {
		var n atomic.Int64
		ctx, kill := context.WithCancel(t.Context())
		proxy.Judge(func(*http.Request) *buckettest.Fault {
			if n.Add(1) >= at {
				kill()
				return &buckettest.Fault{Drop: true}
			}
			return nil
		})
		p, err := f.syncOf(ctx, f.open("host1"), f.st, "alpha")
		kill()
		sent += p.Bytes
		proxy.Judge(func(*http.Request) *buckettest.Fault { return nil })
		assertNoHalf(f)
		if err == nil {
			break
		}
		if at > 200 {
			t.Fatal("it never comes to its end")
		}
	}
	if sent > 12<<20 {
		t.Errorf("%d bytes were sent for 11 MiB", sent)
	}
	f.assertSame(f.open("host1"), "alpha", saved...)
}

// assertNoHalf proves that whatever is visible in the bucket has all of its objects.
func assertNoHalf(f *fixture) {
	f.t.Helper()
	v, st := f.view(f.open("host1"))
	all, err := st.Backups("alpha")
	if err != nil {
		f.t.Fatal(err)
	}
	for _, b := range all {
		if err := v.Verify(f.t.Context(), b, true); err != nil {
			f.t.Fatal(err)
		}
	}
}

// Two hosts write to one bucket at once, and two machines that believe to be the same host as well: nothing of any is lost.
func TestTwoHostsAtOnce(t *testing.T) {
	for _, names := range [][2]string{{"host1", "host2"}, {"host1", "host1"}} {
		t.Run(strings.Join(names[:], "+"), func(t *testing.T) {
			f := newFixture(t, false)
			first := f.save("alpha", "one", 11<<20)
			second := f.save("alpha", "two", 11<<20)
			problems := make(chan error, 2)
			for _, host := range names {
				b := f.open(host)
				go func() { _, err := f.syncOf(t.Context(), b, f.st, "alpha"); problems <- err }()
			}
			for range names {
				if err := <-problems; err != nil {
					t.Error(err)
				}
			}
			for _, host := range names {
				f.assertSame(f.open(host), "alpha", first, second)
			}
		})
	}
}

// Whoever writes and whoever removes exclude each other, also across machines.
func TestPruneAndSyncExcludeEachOther(t *testing.T) {
	f := newFixture(t, false)
	f.save("alpha", "one", 100)
	writing, err := f.open("host1").Begin(t.Context(), Writing, "there", 7)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.open("host1").Begin(t.Context(), Removing, "here", 8)
	if busy, ok := errors.AsType[*BusyError](err); !ok || busy.Machine != "there" || busy.PID != 7 || busy.Kind != Writing {
		t.Fatalf("got %v", err)
	}
	if err := writing.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	removing, err := f.open("host1").Begin(t.Context(), Removing, "here", 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.open("host1").Begin(t.Context(), Writing, "there", 7); err == nil {
		t.Error("a sync began during a prune")
	}
	if err := removing.End(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Every object of a backup, missing or with other bytes, is found without any key, and the object is named.
func TestVerifyFindsEveryDamagedObject(t *testing.T) {
	f := newFixture(t, false)
	saved := f.save("alpha", "one", 1000)
	b := f.open("host1")
	f.mustSync(b, "alpha")
	for key, size := range f.server.Keys(t, "backups") {
		if filepath.Base(key) == archive.ManifestName {
			continue
		}
		text := readObject(t, f.open("host1"), key)
		text[size/2] ^= 1
		if err := f.open("host1").replace(t.Context(), key, text); err != nil {
			t.Fatal(err)
		}
		plain := f.open("host1")
		plain.o.Identities = nil
		v, st := f.view(plain)
		listed, err := st.Find("alpha", saved.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(t.Context(), listed, false); err != nil {
			t.Errorf("%s: the structure is whole: %v", key, err)
		}
		err = v.Verify(t.Context(), listed, true)
		if damage, ok := errors.AsType[*archive.DamageError](err); !ok || damage.Kind != archive.DamageDigest || !strings.HasSuffix(damage.Object, key) {
			t.Errorf("%s: got %v", key, err)
		}
		if err := plain.removeVersions(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		v, st = f.view(plain)
		listed, _ = st.Find("alpha", saved.ID)
		err = v.Verify(t.Context(), listed, false)
		if damage, ok := errors.AsType[*archive.DamageError](err); !ok || damage.Kind != archive.DamageArchiveMissing || !strings.HasSuffix(damage.Object, key) {
			t.Errorf("%s is gone: got %v", key, err)
		}
		text[size/2] ^= 1
		if err := f.open("host1").replace(t.Context(), key, text); err != nil {
			t.Fatal(err)
		}
	}
	f.assertSame(f.open("host1"), "alpha", saved)
}

// A pruning that ends anywhere, at every request in turn, leaves no half backup; the next one frees what it has left.
func TestPruningsThatEndAnywhereAreTakenUp(t *testing.T) {
	f := newFixture(t, true)
	proxy := f.server.Proxy(t)
	first, second := f.save("alpha", "one", 100<<10), f.save("alpha", "two", 100<<10)
	f.mustSync(f.open("host1"), "alpha")
	for at := int64(1); ; at++ {
		v, st := f.view(f.open("host1"))
		var n atomic.Int64
		ctx, kill := context.WithCancel(t.Context())
		proxy.Judge(func(*http.Request) *buckettest.Fault {
			if n.Add(1) >= at {
				kill()
				return &buckettest.Fault{Drop: true}
			}
			return nil
		})
		err := pruneOnce(ctx, v, st, first)
		kill()
		proxy.Judge(func(*http.Request) *buckettest.Fault { return nil })
		assertNoHalf(f)
		if err == nil {
			break
		}
		if at > 200 {
			t.Fatal("it never comes to its end")
		}
	}

	f.assertSame(f.open("host1"), "alpha", second)
	have, err := f.open("host1").versions(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for key := range have {
		if strings.Contains(key, "/"+first.ID+"/") || strings.Contains(key, busyFolder) {
			t.Errorf("%s is left", key)
		}
	}

	third := f.save("alpha", "three", 100<<10)
	f.mustSync(f.open("host1"), "alpha")
	f.assertSame(f.open("host1"), "alpha", second, third)
}

// pruneOnce removes a backup, where it is still seen, and what nobody needs.
func pruneOnce(ctx context.Context, v *View, st *store.Store, gone store.Backup) error {
	s, err := v.b.Begin(ctx, Removing, "here", 1)
	if err != nil {
		return err
	}
	if listed, err := st.Find(gone.Sandbox, gone.ID); err == nil {
		if err := s.Remove(ctx, v, listed); err != nil {
			return errors.Join(err, s.End(ctx))
		}
	}
	_, err = s.Collect(ctx)
	return errors.Join(err, s.End(ctx))
}
