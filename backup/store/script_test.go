package store

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sandkeeper/backup/archive"
)

// scripted runs the script beside the backups on the folder of one.
func scripted(t *testing.T, dir string) (stdout, stderr string, ok bool) {
	t.Helper()
	file := filepath.Join(t.TempDir(), ScriptName)
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "python3", file, dir)
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	return out.String(), said.String(), err == nil
}

func dirHeader(name string) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}
}

func fileHeader(name string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 3, Mode: 0o644}
}

func linkHeader(kind byte, name, to string) tar.Header {
	return tar.Header{Typeflag: kind, Name: name, Linkname: to, Mode: 0o777}
}

// unjudged makes a backup of what no capture would let in: its seal, its digests and its index are all in order.
func unjudged(t *testing.T, s *Store, entries ...tar.Header) Backup {
	t.Helper()
	b, err := s.Create(t.Context(), newOf("alpha"), func(_ context.Context, a *archive.Archive) error {
		for _, h := range entries {
			if err := a.AddUnjudged(&h, strings.NewReader("xxx")); err != nil {
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

// Promise: what a restore refuses, the script beside the backups refuses too, and names it: nothing of it reaches tar.
func TestTheScriptRefusesWhatARestoreRefuses(t *testing.T) {
	needTools(t, "python3", "zstd")
	for name, entries := range map[string][]tar.Header{
		"a home that is a link": {linkHeader(tar.TypeSymlink, ".", "/root")},
		"absolute":              {fileHeader("/etc/hostile")},
		"dot dot":               {fileHeader("../hostile")},
		"dot dot inside":        {dirHeader("dir"), fileHeader("dir/../../hostile")},
		"long dot dot":          {fileHeader("../" + strings.Repeat("hostile/", 40) + "x")},
		"through a link":        {linkHeader(tar.TypeSymlink, "link", "/etc"), fileHeader("link/hostile")},
		"deeper through it":     {linkHeader(tar.TypeSymlink, "link", "/etc"), fileHeader("link/a/b")},
		"a link, then a folder": {linkHeader(tar.TypeSymlink, "link", "/etc"), dirHeader("link")},
		"hard link out":         {linkHeader(tar.TypeLink, "hostile", "../etc/passwd")},
		"hard link to a link":   {linkHeader(tar.TypeSymlink, "link", "/etc"), linkHeader(tar.TypeLink, "hostile", "link")},
		"device":                {{Typeflag: tar.TypeBlock, Name: "hostile", Mode: 0o666}},
		"pipe":                  {{Typeflag: tar.TypeFifo, Name: "hostile", Mode: 0o666}},
		"twice":                 {fileHeader("hostile"), fileHeader("hostile")},
	} {
		s := testStore(t, Options{})
		b := unjudged(t, s, append([]tar.Header{fileHeader("good")}, entries...)...)
		if err := s.Verify(t.Context(), b, true); err == nil {
			t.Errorf("%s: a restore takes it", name)
		}
		bad := entries[len(entries)-1].Name
		out, said, ok := scripted(t, b.Dir)
		if ok || !strings.Contains(said, "refused: entry '"+bad) || strings.Contains(said, "Traceback") {
			t.Errorf("%s: went well %v: %s", name, ok, said)
		}
		if got := strings.Join(namesIn(out), " "); !strings.HasPrefix(got, "good") || len(namesIn(out)) != len(entries) {
			t.Errorf("%s: tar got %s", name, got)
		}
	}
}

// namesIn are the entries of a tar that may break off.
func namesIn(text string) (names []string) {
	for in := tar.NewReader(strings.NewReader(text)); ; {
		h, err := in.Next()
		if err != nil {
			return names
		}
		names = append(names, h.Name)
	}
}

// What is odd and honest passes the script, byte for byte.
func TestTheScriptPassesWhatIsOddAndHonest(t *testing.T) {
	needTools(t, "python3", "zstd")
	s := testStore(t, Options{})
	odd := fileHeader("odd")
	odd.Uid, odd.Uname, odd.ModTime = 1<<30, "käthe", odd.ModTime.AddDate(1900, 0, 0).Add(5)
	odd.PAXRecords = map[string]string{archive.RecordAttribute + "user.é\n": "a\x00b\n=", archive.RecordAttribute + "user.empty": "", archive.RecordData: "-"}
	unjudged(t, s, dirHeader("."), odd, fileHeader("caf\xe9"), linkHeader(tar.TypeLink, "same", "caf\xe9"), fileHeader("a..b"), fileHeader("..."),
		linkHeader(tar.TypeSymlink, "out", "../../etc/passwd"), fileHeader(strings.Repeat("long/", 90)+"x"), fileHeader(strings.Repeat("l", 300)), fileHeader(" space\nline"),
		dirHeader(strings.Repeat("ö/", 60)+"d"), tar.Header{Typeflag: tar.TypeReg, Name: "empty", Mode: 0o7777})
	list, err := s.Backups("alpha")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if err := s.Verify(t.Context(), list[0], true); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Root(), ScriptName)
	assertScript(t, file, s, list[0].ID)
}

// A tar that the programs that read tars could read in different ways is refused before any of them reads it.
func TestTheScriptRefusesAmbiguousTars(t *testing.T) {
	needTools(t, "python3", "zstd")
	good := tarOfHeaders(t, fileHeader("good"))
	end := make([]byte, 1024)
	changed := func(change func(header []byte)) []byte {
		h := bytes.Clone(good)
		change(h)
		return resummed(h)
	}
	record := func(text string, of []byte) []byte {
		text = fmt.Sprintf("%d %s\n", len(text)+4, text) // of two digits
		h := changed(func(h []byte) { h[156] = 'x'; copy(h[124:], fmt.Sprintf("%011o", len(text))) })[:512]
		h = append(h, text...)
		return append(append(h, make([]byte, 512-len(text)%512)...), of...)
	}
	for name, text := range map[string][]byte{
		"no sum":          bytes.Replace(good, []byte("good"), []byte("evil"), 1),
		"GNU's header":    changed(func(h []byte) { copy(h[257:], "ustar  \x00") }),
		"GNU's long name": changed(func(h []byte) { h[156] = 'L' }),
		"for all entries": changed(func(h []byte) { h[156] = 'g' }),
		"sparse":          changed(func(h []byte) { h[156] = 'S' }),
		"binary size":     changed(func(h []byte) { h[124] = 0x80 }),
		"no size":         changed(func(h []byte) { copy(h[124:], "x") }),
		"a folder's size": changed(func(h []byte) { h[156] = '5' }),
		"sparse by name":  record("GNU.sparse.name=a/../b", good),
		"empty link":      record("linkpath=", good),
		"name climbs":     record("path=../", good),
		"no line":         record("no record", good),
		"after the end":   append(bytes.Clone(good), append(bytes.Clone(end), good...)...),
		"cut":             good[:700],
	} {
		if name != "cut" {
			text = append(bytes.Clone(text), end...)
		}
		out, said, ok := scripted(t, byHand(t, archive.ArchiveName, text))
		if ok || !strings.Contains(said, "refused: entry ") && name != "cut" || strings.Contains(said, "Traceback") {
			t.Errorf("%s: went well %v: %s", name, ok, said)
		}
		if strings.Contains(out, "xxx") != (name == "after the end" || name == "cut") {
			t.Errorf("%s: tar got %q", name, namesIn(out))
		}
	}
	unsized := changed(func(h []byte) { copy(h[124:], "00000000000") })
	for name, text := range map[string][]byte{"good": good, "its size in a record": record("size=000003", unsized)} {
		if out, said, ok := scripted(t, byHand(t, archive.ArchiveName, append(bytes.Clone(text), end...))); !ok || len(out) != len(text)+len(end) {
			t.Errorf("%s: %s", name, said)
		}
	}
}

func tarOfHeaders(t *testing.T, all ...tar.Header) []byte {
	t.Helper()
	var text bytes.Buffer
	out := tar.NewWriter(&text)
	for _, h := range all {
		if err := out.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, "xxx"); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// resummed gives a changed header the right sum.
func resummed(text []byte) []byte {
	copy(text[148:156], "        ")
	sum := 0
	for _, b := range text[:512] {
		sum += int(b)
	}
	copy(text[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return text
}

// byHand is the folder of a backup of schema 1 with a tar in it, and a manifest that names the archive's file.
func byHand(t *testing.T, file string, text []byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "20260101T000000Z-0000")
	packer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := packer.EncodeAll(text, nil)
	sum := sha256.Sum256(packed)
	manifest, err := json.Marshal(map[string]any{"schema": 1, "id": filepath.Base(dir), "archive": map[string]any{"file": file, "sha256": hex.EncodeToString(sum[:])}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{file: packed, archive.ManifestName: manifest} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A manifest, an index and links lead the script to no file but those of the backups.
func TestTheScriptReadsTheFilesOfBackupsOnly(t *testing.T) {
	needTools(t, "python3", "zstd")
	whole := append(tarOfHeaders(t, fileHeader("good")), make([]byte, 1024)...)
	for _, file := range []string{"../archive.tar.zst", "other.zst"} {
		if out, said, ok := scripted(t, byHand(t, file, whole)); ok || out != "" || !strings.Contains(said, "manifest.json names the file '"+file+"'") {
			t.Errorf("%s: went well %v: %s", file, ok, said)
		}
	}

	linked := byHand(t, archive.ArchiveName, whole)
	at := filepath.Join(linked, archive.ArchiveName)
	if err := os.Rename(at, at+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at+".away", at); err != nil {
		t.Fatal(err)
	}
	if out, said, ok := scripted(t, linked); ok || out != "" || !strings.Contains(said, "is not a plain file") {
		t.Errorf("a link: went well %v: %s", ok, said)
	}

	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	rewriteIndex(t, b, func(index string) string { return strings.ReplaceAll(index, `["`+b.ID, `["../`+b.ID) })
	if out, said, ok := scripted(t, b.Dir); ok || out != "" || !strings.Contains(said, "the index names the backup '../"+b.ID) {
		t.Errorf("a pack elsewhere: went well %v: %s", ok, said)
	}
}

// rewriteIndex changes the index of a backup, and what its manifest says of it.
func rewriteIndex(t *testing.T, b Backup, change func(string) string) {
	t.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(b.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	unpacker, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := unpacker.DecodeAll(read(archive.IndexName), nil)
	if err != nil {
		t.Fatal(err)
	}
	packer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	index := packer.EncodeAll([]byte(change(string(plain))), nil)
	sum := sha256.Sum256(index)
	manifest := strings.ReplaceAll(string(read(archive.ManifestName)), b.Manifest.IndexFile.SHA256, hex.EncodeToString(sum[:]))
	for name, text := range map[string][]byte{archive.IndexName: index, archive.ManifestName: []byte(manifest)} {
		if err := os.WriteFile(filepath.Join(b.Dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A backup that seems to be the newest because its id is from the future is named.
func TestTheScriptNamesAnIdFromTheFuture(t *testing.T) {
	needTools(t, "python3", "zstd")
	dir := byHand(t, archive.ArchiveName, append(tarOfHeaders(t, fileHeader("good")), make([]byte, 1024)...))
	const now, future = "20260101T000000Z-0000", "29990101T000000Z-0000"
	if _, said, ok := scripted(t, dir); !ok || strings.Contains(said, "still to come") {
		t.Errorf("from the past: went well %v: %s", ok, said)
	}
	file := filepath.Join(dir, archive.ManifestName)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte(now), []byte(future)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, said, ok := scripted(t, dir); !ok || !strings.Contains(said, future+" names a moment that is still to come") {
		t.Errorf("from the future: went well %v: %s", ok, said)
	}
}
