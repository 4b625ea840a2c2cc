package diagnose

import (
	"encoding/json"
	"fmt"
	"html"
	"strings"
	"testing"
)

// A text keeps its class however it travelled: wrapped by the command line or a terminal, through a log, a pod, JSON, an issue.
func TestTextsKeepTheirClassOnTheWay(t *testing.T) {
	for _, s := range someOfEach(everySample(t), 2) {
		for name, travel := range travels() {
			if got := Classify(travel(s.Text), Pasted).Class; got != s.Class {
				t.Errorf("%s: got %s, want %s: %q", name, got, s.Class, travel(s.Text))
			}
		}
	}
}

func someOfEach(samples []sample, n int) []sample {
	var chosen []sample
	seen := map[Class]int{}
	for _, s := range samples {
		if known := s.Class != Unrelated && s.Class != Unknown; known && seen[s.Class] < n && !strings.Contains(s.Text, "\n") {
			seen[s.Class]++
			chosen = append(chosen, s)
		}
	}
	return chosen
}

func travels() map[string]func(string) string {
	wrapped := func(text string) string { return wrap(text, 80, "  │ ") }
	each := func(prefix string) func(string) string {
		return func(text string) string { return prefix + strings.ReplaceAll(wrapped(text), "\n", "\n"+prefix) }
	}
	return map[string]func(string) string{
		"miette":       wrapped,
		"ASCII miette": func(text string) string { return wrap(text, 80, "  | ") },
		"CRLF":         func(text string) string { return strings.ReplaceAll(wrapped(text), "\n", "\r\n") },
		"terminal":     func(text string) string { return cut(text, 80) },
		"journald":     each("Nov 22 03:00:01 spark job[4242]: "),
		"journald ISO": each("2026-11-22T03:00:01+0000 spark job[4242]: "),
		"pod":          each("2026-11-22T03:00:01.123456789Z stderr F "),
		"compose":      each("job-1  | "),
		"mail":         each("> "),
		"issue": func(text string) string {
			return "Since the upgrade:\n\n```console\n" + wrapped(text) + "\n```\nAny idea?\n"
		},
		"colours": func(text string) string {
			return "\x1b[31m" + strings.ReplaceAll(wrapped(text), " ", "\x1b[0m \x1b[2m")
		},
		"HTML":         func(text string) string { return html.EscapeString(wrapped(text)) },
		"Python":       func(text string) string { return fmt.Sprintf("b%+q", wrapped(text)) },
		"JSON in JSON": func(text string) string { return inJSON(inJSON(wrapped(text))) },
	}
}

func inJSON(text string) string {
	content, _ := json.Marshal(map[string]string{"stderr": text})
	return string(content)
}

// wrap breaks text at spaces, as OpenShell's error printer does.
func wrap(text string, width int, gutter string) string {
	var lines []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		if line != "" && len(line)+len(word) >= width {
			lines, line = append(lines, line), gutter+word
			continue
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n")
}

// cut breaks text inside words, as a terminal does.
func cut(text string, width int) string {
	runes := []rune(text)
	var out strings.Builder
	for ; len(runes) > width; runes = runes[width:] {
		out.WriteString(string(runes[:width]) + "\n")
	}
	return out.String() + string(runes)
}
