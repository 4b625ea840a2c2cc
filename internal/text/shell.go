package text

import "strings"

// ShellWord is word as one word of a POSIX shell, quoted where it would not be one by itself. Names and paths come from
// outside, so they may hold anything; line ends and control characters become spaces. "~/" at the start stays what a
// shell takes it for.
func ShellWord(word string) string {
	word = OneLine(word, 0)
	if below, home := strings.CutPrefix(word, "~/"); home && Quoted(below) == below {
		return word
	}
	return Quoted(word)
}

// Quoted is word, exactly as it is, as one word of a POSIX shell.
func Quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/+=:@,", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
