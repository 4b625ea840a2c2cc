// Package backuptest has what tests of backups share: made-up homes, engines that are made up or real, processes that
// are killed.
package backuptest

import (
	"archive/tar"
	"bytes"
	"io"
	"path/filepath"
	"testing"
	"time"
)

// Entry is one tar entry of a test, short to write.
type Entry struct {
	Name, Body, Link string
	Kind             byte
	Mode             int64
	Uid              int
}

// Header is the entry as a tar header.
func (e Entry) Header() *tar.Header {
	h := &tar.Header{
		Typeflag: e.Kind, Name: e.Name, Linkname: e.Link, Mode: e.Mode, Uid: e.Uid, Gid: e.Uid, Size: int64(len(e.Body)),
		ModTime: time.Unix(1_700_000_000, 0),
	}
	if e.Kind == 0 {
		h.Typeflag = tar.TypeReg
	}
	if e.Mode == 0 {
		h.Mode = map[byte]int64{tar.TypeDir: 0o755, tar.TypeSymlink: 0o777}[e.Kind]
		if h.Mode == 0 {
			h.Mode = 0o644
		}
	}
	return h
}

// TarBytes packs entries; base is put before every name.
func TarBytes(t *testing.T, base string, entries ...Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := e.Header()
		h.Name = filepath.Join(base, e.Name)
		if h.Typeflag == tar.TypeLink {
			h.Linkname = filepath.Join(base, e.Link)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.Body); err != nil {
			t.Fatal(err)
		}
	}

	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// OddHome is a home with everything that has ever broken a backup.
func OddHome() []Entry {
	long := string(bytes.Repeat([]byte("n"), 180))
	return []Entry{
		{Name: ".", Kind: tar.TypeDir, Mode: 0o750, Uid: 998},
		{Name: "a", Body: "hello", Uid: 998},
		{Name: "a.link", Kind: tar.TypeLink, Link: "a", Uid: 998},
		{Name: "big", Body: string(bytes.Repeat([]byte("0123456789abcdef"), 300_000)), Uid: 998},
		{Name: "empty", Mode: 0o600, Uid: 998},
		{Name: "emptydir", Kind: tar.TypeDir, Mode: 0o700, Uid: 998},
		{Name: "locked", Kind: tar.TypeDir, Mode: 0o100},
		{Name: "locked/unreadable", Body: "root reads it all the same", Mode: 0o200},
		{Name: long, Kind: tar.TypeDir},
		{Name: long + "/" + long, Body: "long"},
		{Name: "odd", Kind: tar.TypeDir},
		{Name: "odd/-rf", Body: "dash"},
		{Name: "odd/new\nline", Body: "newline"},
		{Name: "odd/quote'\"`$(x)", Body: "quotes"},
		{Name: "odd/späß ☃", Body: "utf-8"},
		{Name: "odd/\xff\xfe", Body: "not utf-8"},
		{Name: "out", Kind: tar.TypeSymlink, Link: "/etc/passwd", Uid: 998},
		{Name: "setuid", Body: "#!", Mode: 0o4755, Uid: 998},
		{Name: "up", Kind: tar.TypeSymlink, Link: "../../../etc"},
	}
}
