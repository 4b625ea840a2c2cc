package backup

import (
	"archive/tar"
	"bytes"
	"io"
	"path/filepath"
	"testing"
	"time"
)

// entry is one tar entry of a test, short to write.
type entry struct {
	name, body, link string
	kind             byte
	mode             int64
	uid              int
}

func (e entry) header() *tar.Header {
	h := &tar.Header{
		Typeflag: e.kind, Name: e.name, Linkname: e.link, Mode: e.mode, Uid: e.uid, Gid: e.uid, Size: int64(len(e.body)),
		ModTime: time.Unix(1_700_000_000, 0),
	}
	if e.kind == 0 {
		h.Typeflag = tar.TypeReg
	}
	if e.mode == 0 {
		h.Mode = map[byte]int64{tar.TypeDir: 0o755, tar.TypeSymlink: 0o777}[e.kind]
		if h.Mode == 0 {
			h.Mode = 0o644
		}
	}
	return h
}

// tarBytes packs entries; base is put before every name.
func tarBytes(t *testing.T, base string, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := e.header()
		h.Name = filepath.Join(base, e.name)
		if h.Typeflag == tar.TypeLink {
			h.Linkname = filepath.Join(base, e.link)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// oddHome is a home with everything that has ever broken a backup.
func oddHome() []entry {
	long := string(bytes.Repeat([]byte("n"), 180))
	return []entry{
		{name: ".", kind: tar.TypeDir, mode: 0o750, uid: 998},
		{name: "a", body: "hello", uid: 998},
		{name: "a.link", kind: tar.TypeLink, link: "a", uid: 998},
		{name: "big", body: string(bytes.Repeat([]byte("0123456789abcdef"), 300_000)), uid: 998},
		{name: "empty", mode: 0o600, uid: 998},
		{name: "emptydir", kind: tar.TypeDir, mode: 0o700, uid: 998},
		{name: "locked", kind: tar.TypeDir, mode: 0o100},
		{name: "locked/unreadable", body: "root reads it all the same", mode: 0o200},
		{name: long, kind: tar.TypeDir},
		{name: long + "/" + long, body: "long"},
		{name: "odd", kind: tar.TypeDir},
		{name: "odd/-rf", body: "dash"},
		{name: "odd/new\nline", body: "newline"},
		{name: "odd/quote'\"`$(x)", body: "quotes"},
		{name: "odd/späß ☃", body: "utf-8"},
		{name: "odd/\xff\xfe", body: "not utf-8"},
		{name: "out", kind: tar.TypeSymlink, link: "/etc/passwd", uid: 998},
		{name: "setuid", body: "#!", mode: 0o4755, uid: 998},
		{name: "up", kind: tar.TypeSymlink, link: "../../../etc"},
	}
}
