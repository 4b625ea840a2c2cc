package drift

import (
	"regexp"
	"strings"
	"unicode"
)

// outputLimit is how much of a program's output is searched for its version.
const outputLimit = 64 << 10

// escape is a terminal control sequence: CSI, OSC, or a lone two-character one.
var escape = regexp.MustCompile(`\x1b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])`)

// ToolVersion finds the version in the `--version` output of tool ("openshell-gateway"). Only a line that begins with
// the tool's own name counts ("openshell-gateway 0.0.43", "openshell version v0.0.37 (abc 2026-05-08)"): an error text
// that mentions a version, or another program's answer, is no evidence. Lines that contradict each other are none
// either.
func ToolVersion(output, tool string) (Version, bool) {
	output = escape.ReplaceAllString(output[:min(len(output), outputLimit)], "")
	var found Version
	for line := range strings.FieldsFuncSeq(output, isLineEnd) {
		version, ok := lineVersion(line, base(tool))
		if !ok {
			continue
		}
		if found != (Version{}) && version != found {
			return Version{}, false
		}
		found = version
	}
	return found, found != Version{}
}

func isLineEnd(r rune) bool { return r == '\n' || r == '\r' }

func lineVersion(line, tool string) (Version, bool) {
	words := strings.FieldsFunc(line, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	if len(words) < 2 || tool == "" || !strings.EqualFold(base(strings.TrimRight(words[0], ":,")), tool) {
		return Version{}, false
	}
	words = words[1:]
	if strings.EqualFold(strings.TrimSuffix(words[0], ":"), "version") {
		words = words[1:]
	}
	if len(words) == 0 || len(words) > 1 && !aside(words[1]) {
		return Version{}, false
	}
	return Parse(strings.TrimRight(words[0], ",;"))
}

// aside reports whether what follows a version is a remark on it, such as "(abcdef 2026-05-08)", and not the rest of a
// sentence ("openshell 0.0.44 is required").
func aside(word string) bool { return strings.HasPrefix(word, "(") || strings.HasPrefix(word, "[") }

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
