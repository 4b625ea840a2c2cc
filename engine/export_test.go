package engine

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"

	"github.com/google/go-cmp/cmp"
)

// Out of an export of a whole container only the home is taken, with its owners, named as the archive API names it.
func TestPickTakesTheHomeOutOfAnExport(t *testing.T) {
	var whole bytes.Buffer
	w := tar.NewWriter(&whole)
	for _, h := range []tar.Header{
		{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "srv/home/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: 998},
		{Name: "srv/home/f", Typeflag: tar.TypeReg, Mode: 0o600, Uid: 998, Gid: 997, Size: 3},
		{Name: "srv/home/g", Typeflag: tar.TypeLink, Linkname: "srv/home/f"},
		{Name: "srv/home/out", Typeflag: tar.TypeLink, Linkname: "bin/busybox"},
		{Name: "srv/home/l", Typeflag: tar.TypeSymlink, Linkname: "/srv/home/f"},
		{Name: "srv/homework", Typeflag: tar.TypeReg, Size: 3},
		{Name: "./srv/home/dot", Typeflag: tar.TypeReg},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			_, _ = io.WriteString(w, "abc")
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var picked bytes.Buffer
	if err := pick(&picked, bytes.NewReader(whole.Bytes()), "/srv/home"); err != nil {
		t.Fatal(err)
	}
	type fact struct {
		Name, Link, Content string
		UID, GID            int
	}
	var got []fact
	for r := tar.NewReader(&picked); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(r)
		got = append(got, fact{h.Name, h.Linkname, string(content), h.Uid, h.Gid})
	}
	want := []fact{
		{"home/", "", "", 998, 0},
		{"home/f", "", "abc", 998, 997},
		{"home/g", "home/f", "", 0, 0},
		{"home/out", "bin/busybox", "", 0, 0},
		{"home/l", "/srv/home/f", "", 0, 0},
		{"home/dot", "", "", 0, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := pick(io.Discard, bytes.NewReader(whole.Bytes()), "/sandbox"); err == nil {
		t.Error("an export without the home passes for an empty home")
	}
	if err := pick(io.Discard, bytes.NewReader(whole.Bytes()[:1200]), "/srv/home"); err == nil {
		t.Error("an export that breaks off passes for a whole one")
	}
}

// An engine's refusal is told in its own words, though the request is called off at once: "context canceled" would tell nobody anything.
func TestARefusedExportIsToldInTheEnginesWords(t *testing.T) {
	d := dockertest.Start(t)
	id := d.Add(dockertest.Container{Name: "c"})
	e, _ := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + d.Host()})})
	for call, read := range map[string]func() error{
		"GET /containers/" + id + "/export": func() error { _, err := e.Export(t.Context(), id, "/sandbox"); return err },
		"POST /containers/" + id + "/exec":  func() error { _, err := e.readByTar(t.Context(), id, "/sandbox"); return err },
	} {
		d.Break(dockertest.Fault{Call: call, Status: 500, Body: `{"message":"the layer is damaged"}`})
		if err := read(); err == nil || !strings.Contains(err.Error(), "the layer is damaged") {
			t.Errorf("%s: %v", call, err)
		}
	}
}
