package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes text from outside safe to print on one line: control characters, also those of Unicode that reorder or
// hide text, and bytes that are no UTF-8 become U+FFFD; tabs and line ends become spaces.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return utf8.RuneError
		}
		return r
	}, text)
}

// CleanLines is Clean for text of several lines: line ends stay.
func CleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(Clean(line), " ")
	}
	return strings.Join(lines, "\n")
}
