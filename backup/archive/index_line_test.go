package archive

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

// plainLines are lines of an index that are not left to encoding/json.
func plainLines(t *testing.T) [][]byte {
	t.Helper()
	var lines [][]byte
	for _, e := range []Entry{
		{Path: ".", Type: "dir", Mode: 0o755},
		{Path: "notes/a b.md", Type: "file", Size: 12345, Mode: 0o4755, Digest: "0123456789abcdef0123456789abcdef", Witness: &Witness{Seen{9_999_999_999_999_999_999, 1764246000123456789}, 7, 1}},
		{Path: "last", Type: "file", Size: math.MaxInt64, Digest: "00", Witness: &Witness{Seen{0, math.MaxInt64}, math.MaxUint32, math.MaxUint32}},
		{Path: "link", Type: "symlink", Mode: 0o777, Link: "../<elsewhere>&more"},
	} {
		lines = append(lines, encoded(t, e))
	}
	return lines
}

// encoded is e as an index has it.
func encoded(t *testing.T, e Entry) []byte {
	t.Helper()
	var line bytes.Buffer
	w := json.NewEncoder(&line)
	w.SetEscapeHTML(false)
	if err := w.Encode(e); err != nil {
		t.Fatal(err)
	}
	return line.Bytes()
}

// assertSameMeaning holds decodeEntry to encoding/json, which says what a line means, and whether it means anything.
func assertSameMeaning(t *testing.T, line []byte) {
	t.Helper()
	var want Entry
	wrong := json.Unmarshal(line, &want)
	got, err := decodeEntry(line)
	if (err == nil) != (wrong == nil) || err == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("%q is %+v, %v and not %+v, %v", line, got, err, want, wrong)
	}
}

// What the fast way takes is what encoding/json takes, and it does take the lines of most files.
func TestALineOfAnIndexMeansWhatJSONSays(t *testing.T) {
	for _, line := range plainLines(t) {
		if _, plain := plainEntry(line); !plain {
			t.Errorf("%s is left to encoding/json", line)
		}
		assertSameMeaning(t, line)
	}
	for _, e := range []Entry{
		{Path: "ä\t\"\\", Raw: []byte{0xff}, Type: "file", Size: -1, Mode: -1, Witness: &Witness{Seen{math.MaxUint64, -1}, 1, 1}},
		{Path: "zeros", Type: "file", Witness: &Witness{}},
	} {
		assertSameMeaning(t, encoded(t, e))
	}
}

// Whatever byte of a line is another one, is missing, or comes twice: the line means what encoding/json says.
func TestAChangedLineOfAnIndexMeansWhatJSONSays(t *testing.T) {
	for _, line := range plainLines(t) {
		assertSameMeaning(t, append(bytes.Clone(line), line...))
		for at := range line {
			for c := range 256 {
				assertSameMeaning(t, append(append(bytes.Clone(line[:at]), byte(c)), line[at+1:]...))
				assertSameMeaning(t, append(append(bytes.Clone(line[:at]), byte(c)), line[at:]...))
			}
			assertSameMeaning(t, append(bytes.Clone(line[:at]), line[at+1:]...))
			assertSameMeaning(t, line[:at])
			assertSameMeaning(t, append(bytes.Clone(line[:at]), line...))
		}
	}
}

// FuzzALineOfAnIndex goes on where the tables end.
func FuzzALineOfAnIndex(f *testing.F) {
	f.Add([]byte("{\"path\":\"a\",\"type\":\"file\",\"size\":1,\"mode\":420,\"digest\":\"00\",\"seen\":[1,2,3,4]}\n"))
	f.Add([]byte("{\"path\":\"a\",\"type\":\"symlink\",\"mode\":511,\"link\":\"b\"}\n"))
	f.Fuzz(assertSameMeaning)
}
