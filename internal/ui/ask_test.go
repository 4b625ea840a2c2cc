package ui

import (
	"strings"
	"testing"
)

func TestConfirmDefaultsToNo(t *testing.T) {
	for _, tc := range []struct {
		answer string
		want   bool
	}{
		{"y\n", true},
		{"YES\n", true},
		{" yes \n", true},
		{"y", true},
		{"", false},
		{"\n", false},
		{"n\n", false},
		{"yes please\n", false},
		{"yy\n", false},
	} {
		var asked strings.Builder
		s := &Streams{In: strings.NewReader(tc.answer), Err: &asked}
		if got := s.Confirm("Replace it?"); got != tc.want {
			t.Errorf("answer %q: %v, want %v", tc.answer, got, tc.want)
		}
		want := "Replace it? [y/N]: "
		if !strings.HasSuffix(tc.answer, "\n") {
			want += "\n" // Ctrl-D ends no line, and what follows begins one
		}
		if got := asked.String(); got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
	}
}

func TestCanAskNeedsBothEnds(t *testing.T) {
	for _, tc := range []struct{ in, err, want bool }{{true, true, true}, {true, false, false}, {false, true, false}} {
		if got := (&Streams{InTTY: tc.in, ErrTTY: tc.err}).CanAsk(); got != tc.want {
			t.Errorf("in %v, err %v: %v, want %v", tc.in, tc.err, got, tc.want)
		}
	}
}
