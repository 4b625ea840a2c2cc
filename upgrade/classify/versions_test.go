package classify

import (
	"strings"
	"testing"
)

func TestVersionIn(t *testing.T) {
	for _, c := range []struct{ output, name, want string }{
		{"openclaw 2026.5.27\n", "openclaw", "2026.5.27"},
		{"Hermes Agent v0.19.0 (2026.6.19)\n", "hermes", "0.19.0"},
		{"warning: node 22.1.0 is old\nOpenClaw 2026.7.1 (abc)", "openclaw", "2026.7.1"},
		{"node 22.1.0\nopenclaw: broken", "openclaw", ""},
		{"0.1.55", "dcode", "0.1.55"},
		{"0.0.4-dev.6+gabc", "x", "0.0.4"},
		{"see version 1.2.3.", "x", "1.2.3"},
		{"1.2.3.4 and 1.2 and .1.2.3", "x", ""},
		{"10.0.0.1 then 1.2.3", "x", "1.2.3"},
		{"", "x", ""},
		{strings.Repeat("x", probeTextLimit) + " 1.2.3", "", ""},
	} {
		if got := versionIn(c.output, c.name); got != c.want {
			t.Errorf("versionIn(%.40q, %q) = %q, want %q", c.output, c.name, got, c.want)
		}
	}
}

func FuzzVersionIn(f *testing.F) {
	f.Add("openclaw 2026.5.27", "openclaw")
	f.Add("İ 1.2.3", "i")
	f.Add("..1..2.3", "")
	f.Fuzz(func(t *testing.T, output, name string) {
		v := versionIn(output, name)
		if v == "" {
			return
		}
		if !strings.Contains(output, v) || strings.Count(v, ".") != 2 {
			t.Fatalf("%q in %q", v, output)
		}
	})
}

func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		order int
		ok    bool
	}{
		{"2026.5.27", "2026.7.1", -1, true},
		{"2026.10.1", "2026.9.30", 1, true},
		{"v0.0.110", "0.0.110", 0, true},
		{"0.0.36-fuse", "0.0.36", 0, true},
		{"0.0.112-dev.3+gabc", "0.0.111", 1, true},
		{"1.2", "1.2.0", 0, true},
		{"1.2", "1.2.1", -1, true},
		{"0.0.0", "1.2.1", 0, false},
		{"1.2.1", "0.0.0", 0, false},
		{"", "1.2.1", 0, false},
		{"5", "1.2.1", 0, false},
		{"1.x.2", "1.2.1", 0, false},
		{"1..2", "1.2.1", 0, false},
		{"1.2.99999999999999999999", "1.2.1", 0, false},
	} {
		if order, ok := compareVersions(c.a, c.b); order != c.order || ok != c.ok {
			t.Errorf("compareVersions(%q, %q) = %d, %v", c.a, c.b, order, ok)
		}
	}
}

func TestScheme(t *testing.T) {
	for version, want := range map[string]string{
		"2026.5.27": "calendar", "v2026.5.27": "calendar", "3000.1.1": "calendar", "2019.1.1": "semver", "0.19.0": "semver", "2026.5": "semver",
	} {
		if got := scheme(version); got != want {
			t.Errorf("%s: %s", version, got)
		}
	}
}
