package docs

import (
	"fmt"
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
	minutes := docsPage(t, "first-ten-minutes.md")
	for _, screen := range []struct{ name, shown, again string }{
		{"first-ten-minutes.md (120 columns)", recorded(minutes, 120), "test/minutes/record"},
		{"first-ten-minutes.md (60 columns)", recorded(minutes, 60), "test/minutes/record"},
		{"demo-light.svg", drawn(docsPage(t, "demo-light.svg")), "make picture"},
		{"demo-dark.svg", drawn(docsPage(t, "demo-dark.svg")), "make picture"},
	} {
		found := fragments(screen.shown)
		if len(found) < 20 {
			t.Fatalf("docs/%s shows only %d runs of words", screen.name, len(found))
		}
		for _, fragment := range found {
			if !said(words, fragment) {
				t.Errorf("docs/%s shows %q, and the program says so nowhere: record it again with %s", screen.name, fragment, screen.again)
			}
		}
	}
}

// TestThePicturesOfTheFirstMinutesAreOfTheirPage promises that each picture shows the screens of the page that links it, line by line.
func TestThePicturesOfTheFirstMinutesAreOfTheirPage(t *testing.T) {
	minutes := docsPage(t, "first-ten-minutes.md")
	for _, columns := range []int{120, 60} {
		name := fmt.Sprintf("first-ten-minutes-%d.svg", columns)
		picture := strings.Split(drawn(docsPage(t, name)), "\n")
		for _, block := range screens(minutes, columns) {
			for line := range strings.Lines(block) {
				if line = strings.TrimRight(line, "\n"); !slices.Contains(picture, line) {
					t.Errorf("docs/%s does not show %q: record both again with test/minutes/record", name, line)
				}
			}
		}
	}
}

func docsPage(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestAStaleSentenceIsFound: the test above can fail.
func TestAStaleSentenceIsFound(t *testing.T) {
	words := literals(t, os.DirFS("../.."))
	for columns, screen := range map[int]string{
		120: "read through the engine, which may leave out extended attributes, access lists: notes-bot\nBackups stored in: /x\n",
		60: "read through the engine: 2, 3, which may leave out extended\nattributes, access lists: notes-bot\n" +
			"  ok    served-version       no answer from the gateway,\n                             which nobody expected of it\n" +
			"  ok    disk-space\n      room for the next\n      backups was made\n",
	} {
		page := fmt.Sprintf("<!-- screens of %d columns -->\n```console\n# sandkeeper backup-all\n%s```\n<!-- screens of 7 columns -->\n", columns, screen)
		got := slices.DeleteFunc(fragments(recorded(page, columns)), func(f string) bool { return said(words, f) })
		want := []string{"which may leave out extended attributes"}
		if columns == 60 {
			want = []string{"room for the next backups was made", "which may leave out extended attributes", "which nobody expected of it"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d columns: found %q, want %q", columns, got, want)
		}
	}
}

// screens are what a terminal of so many columns showed, each with its command line first.
func screens(page string, columns int) (all []string) {
	_, page, _ = strings.Cut(page, fmt.Sprintf("<!-- screens of %d columns -->", columns))
	page, _, _ = strings.Cut(page, "<!-- screens of ")
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(page, -1) {
		all = append(all, block[1])
	}
	return all
}

// recorded is what sandkeeper printed on the screens of so many columns, with its lines whole.
func recorded(page string, columns int) string {
	var b strings.Builder
	for _, screen := range screens(page, columns) {
		command, shown, _ := strings.Cut(screen, "\n")
		if strings.HasPrefix(command, "# sandkeeper") {
			b.WriteString(unbroken(shown, columns))
		}
	}
	return b.String()
}

// unbroken makes whole the cells that a table broke, in their column or in lines of their own below the row, and the lines that the terminal broke
// after its last column.
func unbroken(shown string, columns int) string {
	shown = regexp.MustCompile(`\n {20,}`).ReplaceAllString(shown, " ")
	below := regexp.MustCompile(`(\n {6}[^ \n][^\n]*)\n {6}([^ \n])`)
	for below.MatchString(shown) {
		shown = below.ReplaceAllString(shown, "$1 $2")
	}

	var b strings.Builder
	for line := range strings.Lines(shown) {
		switch text := strings.TrimSuffix(line, "\n"); len(text) {
		case columns:
			line = text
		case columns - 1: // a space was in the last column
			line = text + " "
		}
		b.WriteString(line)
	}
	return b.String()
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
