package restore

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"

	"github.com/google/go-cmp/cmp"
)

// forged makes a backup of what no capture would let in: its seal, its digests and its index are all in order.
func forged(t *testing.T, s *store.Store, name string, entries ...tar.Header) store.Backup {
	t.Helper()
	b, err := s.Create(t.Context(), store.NewBackup{Manifest: archive.Manifest{Sandbox: name, Consistency: archive.ConsistencyStopped}}, func(_ context.Context, a *archive.Archive) error {
		for _, h := range entries {
			if err := a.AddUnjudged(&h, strings.NewReader(strings.Repeat("x", int(h.Size)))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hostile are entries that lead out of a home, each behind what it needs.
func hostile() map[string][]tar.Header {
	link := tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc", Mode: 0o777}
	file := func(name string) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 3, Mode: 0o644}
	}
	return map[string][]tar.Header{
		"absolute":              {file("/etc/passwd")},
		"dot dot":               {file("../../etc/passwd")},
		"dot dot inside":        {{Typeflag: tar.TypeDir, Name: "dir", Mode: 0o755}, file("dir/../../x")},
		"file through a link":   {link, file("link/passwd")},
		"deeper through it":     {link, file("link/a/b")},
		"hard link out":         {{Typeflag: tar.TypeLink, Name: "h", Linkname: "../etc/passwd"}},
		"hard link to a link":   {link, {Typeflag: tar.TypeLink, Name: "h", Linkname: "link"}},
		"device":                {{Typeflag: tar.TypeBlock, Name: "sda", Mode: 0o666}},
		"pipe":                  {{Typeflag: tar.TypeFifo, Name: "p", Mode: 0o666}},
		"twice":                 {file("a"), file("a")},
		"a home that is a link": {{Typeflag: tar.TypeSymlink, Name: ".", Linkname: "/root", Mode: 0o777}},
		"link, then a folder":   {link, {Typeflag: tar.TypeDir, Name: "link", Mode: 0o755}, file("link/x")},
	}
}

// Backups with a valid seal and hostile content are refused before the target is touched in any way.
func TestHostileBackupsAreRefusedBeforeAnythingIsTouched(t *testing.T) {
	for name, entries := range hostile() {
		for _, scope := range []Scope{ScopeFull, ScopeState} {
			f, request := savedFake(t, "running")
			request.Scope = scope
			request.Backup = forged(t, request.Store, request.Target.Name, append([]tar.Header{{Typeflag: tar.TypeReg, Name: ".openclaw", Mode: 0o600}}, entries...)...)
			_, err := Restore(t.Context(), request)
			if _, ok := errors.AsType[*archive.DamageError](err); !ok {
				t.Errorf("%s, scope %s: %v", name, scope, err)
			}
			if _, ok := errors.AsType[*archive.DamageError](request.Store.Verify(t.Context(), request.Backup, true)); !ok {
				t.Errorf("%s: verified, although no restore takes it", name)
			}
			if diff := cmp.Diff(nowHome, f.Home(backuptest.IdA)); diff != "" || len(f.Calls) != 0 || f.Writes != 0 {
				t.Errorf("%s, scope %s: the target was touched: %q, %d writes\n%s", name, scope, f.Calls, f.Writes, diff)
			}
			assertNoCopies(t, request.Store)
		}
	}
}

// Whoever writes entries does not rely on somebody having looked at the index: none that leads out of the home is handed out.
func TestHostileEntriesAreNotHandedOut(t *testing.T) {
	for name, entries := range hostile() {
		_, request := savedFake(t, "running")
		request.Backup = forged(t, request.Store, request.Target.Name, entries...)
		manifest, err := request.Store.Load(request.Backup, nil)
		backuptest.Must(t, err)
		j := &restoreJob{Request: request, manifest: manifest, pick: &selection{roots: []string{"."}}}
		out := 0
		err = j.eachOfBackup(t.Context(), func(*tar.Header, io.Reader) error { out++; return nil })
		if _, ok := errors.AsType[*archive.DamageError](err); !ok || out >= len(entries) {
			t.Errorf("%s: %d of %d entries were handed out, %v", name, out, len(entries), err)
		}
	}
}

// Links out of the sandbox, odd names and a hard link to a name that is not UTF-8 are no attacks: they come back as they were.
func TestOddButHonestBackupsAreRestored(t *testing.T) {
	f, request := savedFake(t, "exited")
	request.Backup = forged(t, request.Store, request.Target.Name,
		tar.Header{Typeflag: tar.TypeSymlink, Name: "out", Linkname: "../../etc/passwd", Mode: 0o777},
		tar.Header{Typeflag: tar.TypeReg, Name: "caf\xe9", Size: 3, Mode: 0o644},
		tar.Header{Typeflag: tar.TypeLink, Name: "same", Linkname: "caf\xe9"},
		tar.Header{Typeflag: tar.TypeReg, Name: "a..b", Size: 1, Mode: 0o644},
	)
	summary, err := Restore(t.Context(), request)
	if err != nil || !summary.Done {
		t.Fatalf("%+v, %v", summary, err)
	}
	if home := f.Home(backuptest.IdA); home["caf\xe9"] != "xxx" || home["a..b"] != "x" {
		t.Errorf("home %q", home)
	}
}

// A bomb of 256 MB of zeros in a few kilobytes is read in small pieces, whatever its size.
func TestBombIsReadInPieces(t *testing.T) {
	s := storetest.NewStore(t, store.Options{})
	b, err := s.Create(t.Context(), store.NewBackup{Manifest: archive.Manifest{Sandbox: "alpha", Consistency: archive.ConsistencyStopped}}, func(_ context.Context, a *archive.Archive) error {
		return a.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Size: 256 << 20, Mode: 0o600}, io.LimitReader(backuptest.Zeros{}, 256<<20))
	})
	if err != nil || b.Manifest.Archive.Bytes > 1<<20 {
		t.Fatalf("%+v, %v", b.Manifest, err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := s.Verify(t.Context(), b, true); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 128<<20 { // half of it; the race detector keeps fewer buffers
		t.Errorf("%d MB were allocated to read it", got>>20)
	}
}
