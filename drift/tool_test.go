package drift

import (
	"strings"
	"testing"
)

func TestToolVersion(t *testing.T) {
	for _, test := range []struct{ output, tool, want string }{
		{"openshell 0.0.37\n", "openshell", "0.0.37"},
		{"openshell-gateway 0.0.43\n", "openshell-gateway", "0.0.43"},
		{"openshell-gateway v0.0.43", "openshell-gateway", "0.0.43"},
		{"OpenShell 0.0.43", "openshell", "0.0.43"},
		{"openshell version 0.0.43 (abcdef 2026-05-08)", "openshell", "0.0.43"},
		{"openshell-gateway: version: 0.0.43", "openshell-gateway", "0.0.43"},
		{"/usr/bin/openshell-gateway 0.0.43", "/opt/bin/openshell-gateway", "0.0.43"},
		{"\x1b[1mopenshell\x1b[0m \x1b[32m0.0.44\x1b[0m\r\n", "openshell", "0.0.44"},
		{"\x1b]0;title\x07openshell 0.0.44", "openshell", "0.0.44"},
		{"warning: config is old\nopenshell-gateway 0.0.43\nbye 1.2.3\n", "openshell-gateway", "0.0.43"},
		{"openshell 0.0.43\nopenshell 0.0.43\n", "openshell", "0.0.43"},
		{"openshell-gateway 0.0.112-dev.3+gabcdef012", "openshell-gateway", "0.0.112-dev.3+gabcdef012"},
		{"openshell-gateway 0.0.112~dev.3+gabcdef012-1", "openshell-gateway", "0.0.112-dev.3+gabcdef012"},
		{"openshell-gateway 0.0.0", "openshell-gateway", "0.0.0"},

		{"", "openshell", ""},
		{"0.0.43", "openshell", ""},
		{"openshell-gateway 0.0.43", "openshell", ""},
		{"openshell 0.0.43", "openshell-gateway", ""},
		{"myopenshell 0.0.43", "openshell", ""},
		{"openshell", "openshell", ""},
		{"openshell version", "openshell", ""},
		{"openshell 0.0.43.1", "openshell", ""},
		{"openshell 0.0.43\nopenshell 0.0.44\n", "openshell", ""},
		{"openshell-gateway 0.0.44 is required by this CLI", "openshell-gateway", ""},
		{"error: openshell-gateway 0.0.44 not found", "openshell-gateway", ""},
		{"openshell-gateway: error while loading shared libraries: libssl.so.1.1.1: cannot open", "openshell-gateway", ""},
		{"Docker version 28.5.2, build abc", "openshell-gateway", ""},
		{"openshell 0.0.43", "", ""},
		{strings.Repeat("x", 1<<20) + "\nopenshell 0.0.43", "openshell", ""},
	} {
		got, ok := ToolVersion(test.output, test.tool)
		if got.String() != test.want || ok != (test.want != "") {
			t.Errorf("ToolVersion(%.80q, %q) = %q, %v; want %q", test.output, test.tool, got, ok, test.want)
		}
	}
}

func FuzzToolVersion(f *testing.F) {
	f.Add("openshell-gateway 0.0.43\n", "openshell-gateway")
	f.Add("\x1b[1mopenshell\x1b[0m 0.0.112-dev.3+gabcdef012", "openshell")
	f.Add("openshell 0.0.43\nopenshell 0.0.44", "openshell")
	f.Add("\x1b]8;;\x1b[", "\x1b")
	f.Fuzz(func(t *testing.T, output, tool string) {
		version, ok := ToolVersion(output, tool)
		got := version.String()
		if ok != (got != "") {
			t.Fatalf("ToolVersion(%q, %q) = %q, %v", output, tool, got, ok)
		}
		if again, same := Parse(got); ok && (!same || again != version) {
			t.Errorf("ToolVersion(%q, %q) = %q, which is not canonical", output, tool, got)
		}
		if name := base(tool); ok && !strings.Contains(strings.ToLower(output), strings.ToLower(name)) && !strings.Contains(output, "\x1b") && isASCII(output+name) {
			t.Errorf("ToolVersion(%q, %q) = %q from output that does not name the tool", output, tool, got)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 126 || r < 32 }) < 0
}
