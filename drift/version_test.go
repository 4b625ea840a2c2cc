package drift

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		"0.0.37":                             "0.0.37",
		" v0.0.37\n":                         "0.0.37",
		"0.0.112-dev.3+gabcdef012":           "0.0.112-dev.3+gabcdef012",
		"0.0.112-dev.3-gabcdef012":           "0.0.112-dev.3+gabcdef012", // docker
		"0.0.112-dev.3.gabcdef012":           "0.0.112-dev.3+gabcdef012", // npm
		"0.0.112.dev3+gabcdef012":            "0.0.112-dev.3+gabcdef012", // Python
		"0.0.112~dev.3+gabcdef012-1":         "0.0.112-dev.3+gabcdef012", // deb
		"0.0.112-0.dev.3.gabcdef012":         "0.0.112-dev.3+gabcdef012", // rpm
		"0.0.112-1.fc42.x86_64":              "0.0.112",
		"0.1.0-rc.1":                         "0.1.0-rc.1",
		"0.0.37+build.5":                     "0.0.37+build.5",
		"0.0.0":                              "0.0.0",
		"0.0.37.1":                           "",
		"0.0":                                "",
		"0.00.37":                            "",
		"vv0.0.37":                           "",
		"0.0.37 ":                            "0.0.37",
		"99999999999999999999.0.0":           "",
		"0.0.37-":                            "",
		"":                                   "",
		"latest":                             "",
		"0.0.37\x00":                         "",
		"0.0.37+" + strings.Repeat("a", 300): "",
	} {
		if got, ok := Canonical(text); got != want || ok != (want != "") {
			t.Errorf("Canonical(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		a, b  string
		order int
		known bool
	}{
		{"0.0.37", "0.0.37", 0, true},
		{"v0.0.37", "0.0.37", 0, true},
		{"0.0.9", "0.0.10", -1, true},
		{"0.1.0", "0.0.116", 1, true},
		{"0.0.37-dev.1", "0.0.37", -1, true},
		{"0.0.112-dev.3-gabcdef012", "0.0.112-dev.3+gabcdef012", 0, true},
		{"0.0.112-dev.3+gabcdef012", "0.0.112-dev.3+g999999999", 0, true},
		{"0.0.0", "0.0.0", 0, false},
		{"0.0.0-dev.1", "0.0.37", 0, false},
		{"", "", 0, false},
		{"dev", "dev", 0, false},
		{"0.0.37", "latest", 0, false},
	} {
		order, known := Compare(test.a, test.b)
		if order != test.order || known != test.known {
			t.Errorf("Compare(%q, %q) = %d, %v; want %d, %v", test.a, test.b, order, known, test.order, test.known)
		}
		if got := Equal(test.a, test.b); got != (test.known && test.order == 0) {
			t.Errorf("Equal(%q, %q) = %v", test.a, test.b, got)
		}
	}
}

func TestAcrossBreak(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"0.0.116", "0.1.0", true},
		{"0.1.0", "0.0.36", true},
		{"0.0.36", "0.0.37", false},
		{"0.1.0", "0.1.9", false},
		{"0.1.0", "1.0.0", false},
		{"0.0.0", "0.1.0", false},
		{"", "0.1.0", false},
	} {
		if got := AcrossBreak(test.a, test.b); got != test.want {
			t.Errorf("AcrossBreak(%q, %q) = %v", test.a, test.b, got)
		}
	}
}

// FuzzCompare: an order is antisymmetric, known in both directions or in none, and equal means equal both ways.
func FuzzCompare(f *testing.F) {
	f.Add("0.0.37", "0.0.36")
	f.Add("0.0.112-dev.3-gabcdef012", "v0.0.112~dev.3+gabcdef012-1")
	f.Add("0.0.0", "0.0.0")
	f.Add("0.1.0-rc.1", "0.1.0-rc.10")
	f.Fuzz(func(t *testing.T, a, b string) {
		forward, known := Compare(a, b)
		backward, alsoKnown := Compare(b, a)
		if forward != -backward || known != alsoKnown {
			t.Errorf("Compare(%q, %q) = %d, %v but reversed %d, %v", a, b, forward, known, backward, alsoKnown)
		}
		if same, ok := Compare(a, a); same != 0 || ok != Equal(a, a) {
			t.Errorf("%q is not itself: %d, %v", a, same, ok)
		}
	})
}
