package drift

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
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
		got, ok := Parse(text)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", text, got, ok, want)
		}
		if !ok && got.Known() {
			t.Errorf("Parse(%q) is known and no version", text)
		}
	}
}

// What is no version keeps its words for a message, and nothing that a terminal would obey.
func TestTextThatIsNoVersion(t *testing.T) {
	for text, want := range map[string]string{"latest": "latest", " dev\n": "dev", "0.0.\x1b[31m1\x07": "0.0.[31m1"} {
		got, ok := Parse(text)
		if content, err := json.Marshal(got); ok || got.String() != want || err != nil || string(content) != strconv.Quote(want) {
			t.Errorf("Parse(%q) = %q, %v; JSON %s, %v", text, got, ok, content, err)
		}
	}
}

func TestSince(t *testing.T) {
	for text, want := range map[string]bool{
		"0.0.37": true, "0.0.38": true, "0.0.37-dev.3": true, "0.1.0": true, "1.0.0": true, "0.0.36": false, "0.0.0": false, "": false, "x": false,
	} {
		if got := parsed(text).Since(37); got != want {
			t.Errorf("%q since 0.0.37: %v", text, got)
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
		order, known := parsed(test.a).Compare(parsed(test.b))
		if order != test.order || known != test.known {
			t.Errorf("Compare(%q, %q) = %d, %v; want %d, %v", test.a, test.b, order, known, test.order, test.known)
		}
		if got := parsed(test.a).Same(parsed(test.b)); got != (test.known && test.order == 0) {
			t.Errorf("Same(%q, %q) = %v", test.a, test.b, got)
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
		if got := parsed(test.a).AcrossBreak(parsed(test.b)); got != test.want {
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
		forward, known := parsed(a).Compare(parsed(b))
		backward, alsoKnown := parsed(b).Compare(parsed(a))
		if forward != -backward || known != alsoKnown {
			t.Errorf("Compare(%q, %q) = %d, %v but reversed %d, %v", a, b, forward, known, backward, alsoKnown)
		}
		if same, ok := parsed(a).Compare(parsed(a)); same != 0 || ok != parsed(a).Same(parsed(a)) {
			t.Errorf("%q is not itself: %d, %v", a, same, ok)
		}
	})
}
