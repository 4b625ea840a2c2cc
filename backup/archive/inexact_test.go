package archive

import (
	"archive/tar"
	"bytes"
	"testing"
	"time"
)

// What a way did not carry is counted where the way shows it, and named where it does not.
func TestWhatAWayDoesNotCarryIsCounted(t *testing.T) {
	var sink, index bytes.Buffer
	a := New(t.Context(), Target{Sink: &sink, Index: &index, ID: "20260101T000000Z-aaaaaaaa"})
	defer a.Abandon()
	for name, nanos := range map[string]int64{"whole": 0, "also": 0, "exact": 5} {
		if err := a.Add(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, ModTime: time.Unix(7, nanos)}, bytes.NewReader(nil)); err != nil {
			t.Fatal(err)
		}
	}
	for way, want := range map[Way]int{WayDirect: -1, WayEngine: 2, WayGateway: 2} {
		var m Manifest
		a.TakenBy(&m, way, "why")
		if want < 0 {
			if m.Inexact != nil {
				t.Errorf("%s: %+v, want nothing: it carries everything", way, m.Inexact)
			}
			continue
		}
		if len(m.Inexact) != 1+len(unseen) || m.Inexact[0].Kind != InexactTimes || *m.Inexact[0].Entries != want {
			t.Errorf("%s: %+v, want %d times", way, m.Inexact, want)
			continue
		}
		for _, i := range m.Inexact[1:] {
			if i.Entries != nil {
				t.Errorf("%s: %d %s counted, which it does not show", way, *i.Entries, i.Kind)
			}
		}
	}
}
