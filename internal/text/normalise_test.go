package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestNormalise(t *testing.T) {
	long := strings.Repeat("ListSandboxesResponse.", 4) // longer than a line, so miette breaks inside it
	for _, c := range []struct{ name, text, want string }{
		{"miette, wrapped", "Error:   × status: Internal, message: \"failed to decode\n  │ Protobuf message\"", `Error: status: Internal, message: "failed to decode Protobuf message"`},
		{"miette in a plain locale", "Error:   x status: Internal, message: \"failed\n  | to decode\"", `Error: status: Internal, message: "failed to decode"`},
		{"causes", "Error:   × transport error\n  ├─▶ tcp connect error\n  ╰─▶ Connection refused", "Error: transport error\ntcp connect error\nConnection refused"},
		{"causes in a plain locale", "Error:   x transport error\n  |-> tcp connect error\n  `-> Connection refused", "Error: transport error\ntcp connect error\nConnection refused"},
		{"wrapped at a hyphen", "the grpc-\n  │ status header", "the grpc-status header"},
		{"a dash is not a hyphen", "one -\n  │ two", "one - two"},
		{"flattened", "was applied but │ is missing", "was applied but is missing"},
		{"flattened at a hyphen", "grpc-│ status", "grpc-status"},
		{"a word longer than a line", "  × " + long[:76] + "\n  │ " + long[76:], long},
		{"colours and links", "\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07", "red link"},
		{"spaces of every kind", "a\u00a0 b\t\tc\u2009d", "a b c d"},
		{"carriage returns", "one\r\ntwo\rthree", "one\ntwo\nthree"},
		{"empty lines", "\n\n one \n\n", "one"},
		{"nothing", "", ""},
	} {
		if got := Normalise(c.text); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"one\ntwo", 0, "one two"},
		{"bell\x07 and\x00 nul\u202e turned", 0, "bell and nul turned"},
		{"öööö", 4, "öööö"},
		{"ööööö", 4, "ööö…"},
		{"abc", 1, "…"},
		{"bad \xff byte", 0, "bad \ufffd byte"},
	} {
		if got := OneLine(c.text, c.limit); got != c.want {
			t.Errorf("%q cut at %d: got %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"Error:   × a\n  │ b", "\x1b[31mx\x1b[", "├─▶ ╰─▶", "a-\n  | b", "\xff\xfe", "\u009b1m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line := OneLine(text, 80)
		if utf8.RuneCountInString(line) > 80 || !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) {
			t.Errorf("OneLine(%q) = %q", text, line)
		}
		for part := range strings.Lines(Normalise(text)) {
			if strings.TrimSpace(part) == "" || strings.Contains(part, "  ") {
				t.Errorf("Normalise(%q) left %q", text, part)
			}
		}
	})
}
