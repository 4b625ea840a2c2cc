package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRecordedScreensSayWhatTheProgramSays promises that what docs/first-ten-minutes.md and the picture at the top of the README show is what the
// program prints today: every run of words in them stands in the program, so a sentence that was changed since is found.
func TestRecordedScreensSayWhatTheProgramSays(t *testing.T) {
	words := literals(t, os.DirFS("../.."))
	for name, again := range map[string]string{"first-ten-minutes.md": "test/minutes/record", "demo-light.svg": "make picture", "demo-dark.svg": "make picture"} {
		content, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		shown := recorded(string(content))
		if path.Ext(name) == ".svg" {
			shown = drawn(string(content))
		}
		found := fragments(shown)
		if len(found) < 20 {
			t.Fatalf("docs/%s shows only %d runs of words", name, len(found))
		}
		for _, fragment := range found {
			if !said(words, fragment) {
				t.Errorf("docs/%s shows %q, and the program says so nowhere: record it again with %s", name, fragment, again)
			}
		}
	}
}

// TestAStaleSentenceIsFound: the test above can fail.
func TestAStaleSentenceIsFound(t *testing.T) {
	words := literals(t, os.DirFS("../.."))
	page := "<!-- screens of 120 columns -->\n```console\n# sandkeeper backup-all\nread through the engine, which may leave out extended attributes, access lists: notes-bot\nBackups stored in: /x\n```\n"
	got := slices.DeleteFunc(fragments(recorded(page)), func(f string) bool { return said(words, f) })
	if want := []string{"which may leave out extended attributes"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// recorded is what sandkeeper printed on the screens of 120 columns, each line that the terminal or a table broke made whole.
func recorded(page string) string {
	_, page, _ = strings.Cut(page, "<!-- screens of 120 columns -->")
	page, _, _ = strings.Cut(page, "<!-- screens of 60 columns -->")
	const columns = 120
	var b strings.Builder
	for _, block := range regexp.MustCompile("(?s)```console\n# sandkeeper[^\n]*\n(.*?)```").FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			if len(line) == columns+1 {
				line = line[:columns]
			}
			b.WriteString(line)
		}
	}
	return regexp.MustCompile(`\n {20,}`).ReplaceAllString(b.String(), " ")
}

// drawn is what a picture shows, a line for each of its lines.
func drawn(svg string) string {
	svg = regexp.MustCompile(`(?s)<style.*?</style>`).ReplaceAllString(svg, "")
	lines := regexp.MustCompile(`</text>`).ReplaceAllString(svg, "\n")
	return html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(lines, ""))
}

// fragments are the runs of at least four words, without what differs from run to run: names, numbers, paths.
func fragments(shown string) []string {
	shown = regexp.MustCompile(`notes-bot|reviewer|nemoclaw-\d+|\S*[\d/@]\S*`).ReplaceAllString(shown, "|")
	found := regexp.MustCompile(`[A-Za-z'-]+(?: [A-Za-z'-]+){3,}`).FindAllString(shown, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// said reports whether fragment is one text of the program, or two that it joined.
func said(words, fragment string) bool {
	if strings.Contains(words, fragment) {
		return true
	}
	for at, letter := range fragment {
		if letter == ' ' && strings.Contains(words, fragment[:at]) && strings.Contains(words, fragment[at+1:]) {
			return true
		}
	}
	return false
}

// literals are all texts of the program and of the demo, one after the other.
func literals(t *testing.T, root fs.FS) string {
	t.Helper()
	var all strings.Builder
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "dist", "testdata", "tools", "examples", "e2e", "docs", "bench"}, d.Name()) {
			return fs.SkipDir
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, _ := strconv.Unquote(literal.Value)
				all.WriteString(text + "\n")
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
