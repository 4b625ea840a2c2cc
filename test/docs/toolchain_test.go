package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestShownDeveloperCommandsAreThere promises of the lines for make and go in the pages what TestShownCommandsAreUnderstood promises of those for
// sandkeeper: the target, the package and the test that they name are there.
func TestShownDeveloperCommandsAreThere(t *testing.T) {
	found := 0
	for name, text := range textFiles(t, os.DirFS("../..")) {
		if path.Ext(name) != ".md" || name == "CHANGELOG.md" || name == "docs/extensions.md" { // whose lines are for another module, and are run by test/outside
			continue
		}
		for _, line := range regexp.MustCompile("(?m)`((?:make|go) [^`\n]+)`|^((?:make|go) [a-z].*)$").FindAllStringSubmatch(text, -1) {
			found++
			if why := lacking(t, line[1]+line[2]); why != "" {
				t.Errorf("%s shows `%s`: %s", name, line[1]+line[2], why)
			}
		}
	}
	if found < 20 {
		t.Fatalf("only %d were found", found)
	}
}

// TestLackingCommandsAreFound: the test above can fail.
func TestLackingCommandsAreFound(t *testing.T) {
	for line, want := range map[string]string{
		"make nosuch":                                          "no target nosuch",
		"go run ./test/nosuch":                                 "no folder ./test/nosuch",
		"go test ./cmd -run TestNoSuch -v":                     "no test TestNoSuch in ./cmd",
		"make demo  # a comment":                               "",
		"go test ./test/docs -run TestLackingCommandsAreFound": "",
		"go build": "",
	} {
		if got := lacking(t, line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// lacking says what of a line for make or go is not in the repository; "" when all of it is.
func lacking(t *testing.T, line string) string {
	t.Helper()
	line, _, _ = strings.Cut(line, " #")
	words := strings.Fields(line)
	if words[0] == "make" {
		makefile, err := os.ReadFile("../../Makefile")
		if err != nil {
			t.Fatal(err)
		}
		if target := words[1]; !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).Match(makefile) {
			return "no target " + target
		}
		return ""
	}

	folder := ""
	for i, word := range words {
		if strings.HasPrefix(word, "./") && !strings.HasSuffix(word, "...") {
			folder = word
			if info, err := os.Stat("../../" + word); err != nil || !info.IsDir() {
				return "no folder " + word
			}
		}
		if word == "-run" && strings.HasPrefix(words[i+1], "Test") && !hasTest(t, folder, words[i+1]) {
			return "no test " + words[i+1] + " in " + folder
		}
	}
	return ""
}

func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob("../../" + folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+name) { // -run takes the beginning of a name
			return true
		}
	}
	return false
}
