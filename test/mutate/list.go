package main

import (
	"fmt"
	"path"
	"strings"
)

// mutant is one turned line, or a few that belong together.
type mutant struct {
	Title string   // what is wrong in the turned program
	File  string   // path below the module's root
	Old   string   // must be in File once
	New   string   // comes in its place
	Tests []string // arguments of go test; the file's own package without any
	Why   string   // why no test can notice it; "" where one must
}

// parse reads a list. A mutant is a block of lines, each beginning with what it is:
//
//	== title
//	@ file
//	- old line, without its indentation
//	+ new line
//	$ arguments of go test
//	? why no test can notice it
//
// Other lines are comments.
func parse(text string) ([]mutant, error) {
	var all []mutant
	for n, line := range strings.Split(text, "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		if mark == "==" {
			all = append(all, mutant{Title: rest})
			continue
		}
		if len(all) == 0 || len(mark) != 1 || !strings.Contains("@-+$?", mark) {
			continue
		}
		m := &all[len(all)-1]
		switch mark {
		case "@":
			m.File = rest
		case "-":
			m.Old = joined(m.Old, rest)
		case "+":
			m.New = joined(m.New, rest)
		case "$":
			m.Tests = strings.Fields(rest)
		case "?":
			m.Why = rest
		}
		if m.File == "" {
			return nil, fmt.Errorf("line %d: %q has no file yet", n+1, m.Title)
		}
	}
	for i := range all {
		if all[i].Old == "" || all[i].Old == all[i].New {
			return nil, fmt.Errorf("%q turns nothing", all[i].Title)
		}
		if len(all[i].Tests) == 0 {
			all[i].Tests = []string{"./" + path.Dir(all[i].File)}
		}
	}
	return all, nil
}

func joined(text, line string) string {
	if text == "" {
		return line
	}
	return text + "\n" + line
}

// turned is source with the mutant in it. Indentation is not compared, so that a list outlives a line that moves into a block.
func (m mutant) turned(source string) (string, error) {
	lines, old := strings.Split(source, "\n"), strings.Split(m.Old, "\n")
	at := -1
	for i := range lines {
		if !matches(lines[i:], old) {
			continue
		}
		if at >= 0 {
			return "", fmt.Errorf("its line is in %s more than once", m.File)
		}
		at = i
	}
	if at < 0 {
		return "", fmt.Errorf("its line is not in %s any more", m.File)
	}
	turned := append(lines[:at:at], m.New)
	return strings.Join(append(turned, lines[at+len(old):]...), "\n"), nil
}

func matches(lines, old []string) bool {
	if len(lines) < len(old) {
		return false
	}
	for i := range old {
		if strings.TrimSpace(lines[i]) != strings.TrimSpace(old[i]) {
			return false
		}
	}
	return true
}
