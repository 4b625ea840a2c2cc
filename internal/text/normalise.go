// Package text answers one question: how is foreign text made safe to read and to print? It undoes wrapping and
// colours, and leaves no control character in what is shown.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"sandkeeper/internal/pattern"
)

// escape sequences: CSI (colours, cursor), OSC (titles, links) and the two-character rest (ECMA-48).
var ansi = pattern.Of(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|\x{9b}[0-?]*[ -/]*[@-~]`)

var (
	// cause starts a line of a miette chain: "├─▶ tcp connect error", "╰─▶ …", in a non-UTF-8 locale "|-> …", "`-> …".
	cause = pattern.Of("^[ \t]*(?:[├╰]─+▶|[|`+]-+>)[ \t]*")
	// gutter starts a line that continues the one before it: "  │ is missing", in a non-UTF-8 locale "  | is missing".
	gutter = pattern.Of(`^[ \t]*(?:│|\|)(?:[ \t]+|$)`)
	// cross is the mark between "Error:" and the message.
	cross = pattern.Of(`^([ \t]*(?:[Ee]rror:)?)[ \t]*×[ \t]*|^([ \t]*[Ee]rror:)[ \t]+x[ \t]+`)
	// inline marks are what a caller leaves when it flattens such a text into one line.
	inlineHyphen = pattern.Of(`-[ \t]*│[ \t]*`)
	inlineMark   = pattern.Of(`[ \t]*(?:[├╰]─+▶|│)[ \t]*`)
	blanks       = pattern.Of(`[ \t]+`)
)

// StripANSI removes escape sequences and carriage returns and makes every kind of space a plain one; lines stay lines.
func StripANSI(text string) string {
	if strings.ContainsAny(text, "\x1b\u009b") { // with which every sequence begins
		text = ansi().ReplaceAllString(text, "")
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\u200b' || r == '\ufeff':
			return -1
		case r == '\r':
			return '\n'
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, text)
}

// Normalise undoes what OpenShell's error printer (miette) and the ways a text travels do to it: escape sequences, the
// gutters "│ ├─▶ ╰─▶ ×" and their ASCII stand-ins, lines wrapped at 80 columns, no-break spaces, runs of spaces, empty
// lines. What was one message is one line again; causes and unrelated lines stay on lines of their own.
func Normalise(text string) string {
	var out strings.Builder
	width := 0
	for line := range strings.Lines(StripANSI(text)) {
		line = strings.TrimRight(line, "\n ")
		raw := utf8.RuneCountInString(line)
		if mark := gutter().FindString(line); mark != "" && out.Len() > 0 && !cause().MatchString(line) {
			rest := tidy(line[len(mark):])
			out.WriteString(seam(out.String(), rest, width) + rest)
		} else if line = tidy(cause().ReplaceAllString(cross().ReplaceAllString(line, "$1$2 "), "")); line != "" {
			if out.Len() > 0 {
				out.WriteByte('\n')
			}
			out.WriteString(line)
		}

		width = raw
	}
	return out.String()
}

func tidy(line string) string {
	line = inlineHyphen().ReplaceAllString(line, "-")
	line = inlineMark().ReplaceAllString(line, " ")
	return strings.TrimSpace(blanks().ReplaceAllString(line, " "))
}

// wrapColumn is where miette wraps when it does not write to a terminal.
const wrapColumn = 80

// seam is what belongs between two parts of a wrapped line. They are parted at a space, after a hyphen, or inside a
// word that is longer than a line; width is that of the printed line that is continued.
func seam(before, after string, width int) string {
	if after == "" {
		return ""
	}
	tail := before[strings.LastIndexAny(before, " \n")+1:]
	head, _, _ := strings.Cut(after, " ")
	hyphen := len(tail) > 1 && strings.HasSuffix(tail, "-")
	tooLong := width >= wrapColumn-1 && utf8.RuneCountInString(tail)+utf8.RuneCountInString(head) > wrapColumn-8
	if hyphen || tooLong {
		return ""
	}
	return " "
}

// clipLimit is how much of each end of a text is looked at for one line of it.
const clipLimit = 32 << 10

func clip(text string) string {
	if len(text) <= 2*clipLimit {
		return text
	}
	return text[:clipLimit] + "\n" + text[len(text)-clipLimit:]
}

// OneLine is text as one line that can be printed: normalised, without control characters, at most limit characters
// long (with "…" as the last of them when something was cut off). A limit below 1 means none; of a very long text only
// both ends are looked at.
func OneLine(text string, limit int) string {
	printable := strings.Map(func(r rune) rune {
		if r == '\n' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, Normalise(clip(text)))
	printable = strings.TrimSpace(blanks().ReplaceAllString(printable, " "))
	if limit < 1 || utf8.RuneCountInString(printable) <= limit {
		return printable
	}
	runes := []rune(printable)
	return string(runes[:limit-1]) + "…"
}
