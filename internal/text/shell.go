package text

import "strings"

// ShellWord is word as one word of a POSIX shell, quoted where it would not be one by itself. Names and paths come from outside, so they
// may hold anything; line ends and control characters become spaces. "~/" at the start stays what a shell takes it for.
func ShellWord(word string) string {
	word = OneLine(word, 0)
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/+=:@,", r)
	}
	bare := strings.TrimPrefix(word, "~/")
	if bare != "" && !strings.ContainsFunc(bare, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
