package home

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/backuptest"

	"github.com/google/go-cmp/cmp"
)

// listSink writes down what it is given.
type listSink struct {
	added   []string
	omitted []string
	full    error
}

func (s *listSink) Add(h *tar.Header, r io.Reader) error {
	if s.full != nil {
		return s.full
	}
	body, err := io.ReadAll(io.LimitReader(r, 1<<20)) // a hole of a sparse file is as long as its header claims
	if err != nil {
		return err
	}
	s.added = append(s.added, fmt.Sprintf("%s>%s=%s", h.Name, h.Linkname, body))
	return nil
}

func (s *listSink) Omit(path, reason string) { s.omitted = append(s.omitted, path+": "+reason) }

// fixedHome gives the same bytes at every read, and then perhaps an error.
type fixedHome struct {
	base   string
	stream []byte
	end    error
}

func (h fixedHome) Read(context.Context) (io.ReadCloser, string, error) {
	var r io.Reader = bytes.NewReader(h.stream)
	if h.end != nil {
		r = io.MultiReader(r, backuptest.BrokenReader{Err: h.end})
	}
	return io.NopCloser(r), h.base, nil
}

func captured(t *testing.T, h Home) (*listSink, error) {
	t.Helper()
	into := &listSink{}
	return into, Capture(t.Context(), h, into, 0, NewMeter("alpha", nil))
}

func TestCaptureTakesTheHomesOwnNameOff(t *testing.T) {
	packed := backuptest.TarBytes(t, "sandbox",
		backuptest.Entry{Name: ".", Kind: tar.TypeDir}, backuptest.Entry{Name: "a", Body: "1"}, backuptest.Entry{Name: "b", Kind: tar.TypeLink, Link: "a"},
		backuptest.Entry{Name: "sandbox", Kind: tar.TypeDir}, backuptest.Entry{Name: "sandbox/c", Body: "2"}, backuptest.Entry{Name: "l", Kind: tar.TypeSymlink, Link: "/etc"})
	got, err := captured(t, fixedHome{base: "sandbox", stream: packed})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{".>=", "a>=1", "b>a=", "sandbox>=", "sandbox/c>=2", "l>/etc="}
	if diff := cmp.Diff(want, got.added); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestCaptureOmitsOneOddEntryNotTheRest(t *testing.T) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "elsewhere/a"},
		{Typeflag: tar.TypeReg, Name: "sandbox/../../b"},
		{Typeflag: tar.TypeLink, Name: "sandbox/c", Linkname: "etc/passwd"},
		{Typeflag: tar.TypeReg, Name: "sandbox/good"},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	got, err := captured(t, fixedHome{base: "sandbox", stream: out.Bytes()})
	if err != nil || len(got.omitted) != 3 || len(got.added) != 1 || got.added[0] != "good>=" {
		t.Errorf("added %q, omitted %q, %v", got.added, got.omitted, err)
	}
}

// Wherever a stream ends early, it is not taken for a whole one: also not between two entries, and not before the end mark.
func TestCaptureNeverTakesAPartForTheWhole(t *testing.T) {
	packed := backuptest.TarBytes(t, "sandbox", backuptest.Entry{Name: ".", Kind: tar.TypeDir}, backuptest.Entry{Name: "a", Body: "some"}, backuptest.Entry{Name: "b", Body: string(make([]byte, 1024))})
	for cut := 0; cut < len(packed); cut += 128 {
		if _, err := captured(t, fixedHome{base: "sandbox", stream: packed[:cut]}); err == nil {
			t.Errorf("%d of %d bytes were taken for a whole home", cut, len(packed))
		} else if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	if _, err := captured(t, fixedHome{base: "sandbox", stream: packed}); err != nil {
		t.Errorf("the whole stream: %v", err)
	}
	engineGone := errors.New("engine went away")
	if _, err := captured(t, fixedHome{base: "sandbox", stream: packed[:2048], end: engineGone}); !errors.Is(err, engineGone) {
		t.Errorf("got %v", err)
	}
}

func TestCaptureReportsTheStoresError(t *testing.T) {
	full := errors.New("disk full")
	err := Capture(t.Context(), fixedHome{base: ".", stream: backuptest.TarBytes(t, "", backuptest.Entry{Name: "a"})}, &listSink{full: full}, 0, NewMeter("a", nil))
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

// silentHome opens, and never sends a byte.
type silentHome struct{}

func (silentHome) Read(ctx context.Context) (io.ReadCloser, string, error) {
	return io.NopCloser(&drip{ctx: ctx}), "sandbox", nil
}

func TestCaptureEndsASilentSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := captured(t, silentHome{})
		if _, ok := errors.AsType[*StallError](err); !ok || time.Since(start) != archive.DefaultStall {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

// endlessHome sends a whole home, and then never stops sending.
type endlessHome struct {
	t    *testing.T
	wait time.Duration // between two bytes; none sends zeros as fast as they are read
}

func (h endlessHome) Read(ctx context.Context) (io.ReadCloser, string, error) {
	home := bytes.NewReader(backuptest.TarBytes(h.t, "sandbox", backuptest.Entry{Name: ".", Kind: tar.TypeDir}, backuptest.Entry{Name: "a", Body: "1"}))
	var more io.Reader = backuptest.Zeros{}
	if h.wait > 0 {
		more = &drip{ctx: ctx, wait: h.wait, count: 1 << 30}
	}
	return io.NopCloser(io.MultiReader(home, more)), "sandbox", nil
}

// Promise: a sandbox that never stops sending, zeros behind the end of its archive or a byte now and then, costs a minute or two and no more.
func TestCaptureEndsASourceThatNeverStops(t *testing.T) {
	for _, wait := range []time.Duration{0, 50 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, err := captured(t, endlessHome{t, wait})
			if took := time.Since(start); !errors.Is(err, archive.ErrNoEnd) || took > 2*archive.DefaultStall {
				t.Errorf("a byte every %s: after %s: %v", wait, took, err)
			}
		})
	}
}

func TestRebase(t *testing.T) {
	for _, tt := range []struct {
		name, base, want string
		ok               bool
	}{
		{"sandbox/", "sandbox", ".", true},
		{"sandbox/a/b", "sandbox", "a/b", true},
		{"./", ".", ".", true},
		{"./a", ".", "a", true},
		{"sandboxes/a", "sandbox", "", false},
		{"/sandbox/a", "sandbox", "", false},
		{"../a", ".", "", false},
		{"/etc", ".", "", false},
		{"sandbox/../a", "sandbox", "", false},
		{"sandbox/..", "sandbox", "", false},
	} {
		got, ok := Rebase(tt.name, tt.base)
		if got != tt.want || ok != tt.ok {
			t.Errorf("rebase(%q, %q) = %q, %t, want %q, %t", tt.name, tt.base, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzCopyTar(f *testing.F) {
	f.Add([]byte("not a tar"))
	f.Add(make([]byte, 1024))
	f.Add(backuptest.TarOf(f, "sandbox/notes.md", "memory", "sandbox/.openclaw/plan.md", ""))
	f.Add(backuptest.TarOf(f, "sandbox/../../etc/passwd", "x", "elsewhere", "y"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		into := &listSink{}
		err := copyTar(into, archive.NewTarWalk(bytes.NewReader(stream), 0), "sandbox", NewMeter("a", nil))
		if err == nil && len(stream) < 1024 {
			t.Error("a stream without room for an end mark was taken for a whole one")
		}
	})
}
