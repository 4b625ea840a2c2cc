package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestCitations promises that a reader who follows a citation arrives: every docs/….md that a comment, a page or a script
// names is there, with the section that is named.
func TestCitations(t *testing.T) {
	root := os.DirFS("../..")
	pages := readPages(t, root)
	if len(pages["docs/design.md"].sections) == 0 || len(pages["docs/facts/openshell.md"].sections) == 0 {
		t.Fatal("docs/design.md and docs/facts/openshell.md have no numbered sections: this is not the tree that is meant")
	}
	for _, dead := range deadCitations(t, root, pages) {
		t.Error(dead)
	}
}

func TestCitationsFindsDeadOnes(t *testing.T) {
	const page = "# P\n\n## 1. One thing\n\n### 1.2 Two `things`\n\n## B. Letters\n"
	for name, test := range map[string]struct {
		file, text string
		want       string // in the only violation; "" wants none
	}{
		"page":                {"a.go", "// See docs/p.md.", ""},
		"no such page":        {"a.go", "// See docs/q.md.", "docs/q.md does not exist"},
		"section":             {"a.go", "// So it is (docs/p.md 1.2).", ""},
		"letter":              {"a.go", "// So it is (docs/p.md B).", ""},
		"no such section":     {"a.go", "// So it is (docs/p.md 1.3).", "docs/p.md has no section 1.3"},
		"second section":      {"a.go", "// So it is (docs/p.md 1.2 and 4).", "docs/p.md has no section 4"},
		"over a line's end":   {"a.go", "\t// So it is (docs/p.md\n\t// 7).", "docs/p.md has no section 7"},
		"script":              {".ci/x", "# see docs/q.md", "docs/q.md does not exist"},
		"link":                {"docs/a.md", "[p](p.md#one-thing)", ""},
		"link by number":      {"docs/a.md", "[p](p.md#12-two-things)", ""},
		"dead link":           {"docs/a.md", "[p](../q.md)", "q.md does not exist"},
		"dead anchor":         {"docs/a.md", "[p](p.md#two)", "docs/p.md has no heading #two"},
		"dead anchor at home": {"docs/a.md", "[p](#two)", "docs/a.md has no heading #two"},
		"foreign link":        {"docs/a.md", "[p](https://example.org/q.md)", ""},
		"page outside docs":   {"a.go", "// So it is (facts/p.md 1).", "names a page outside of the repository"},
		"design outside docs": {"a.go", "// So it is (DESIGN 9).", "names a page outside of the repository"},
	} {
		t.Run(name, func(t *testing.T) {
			heading := "# A\n\n## One thing\n\n"
			root := fstest.MapFS{"docs/p.md": {Data: []byte(page + "## One thing\n")}, test.file: {Data: []byte(heading + test.text + "\n")}}
			got := strings.Join(deadCitations(t, root, readPages(t, root)), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

// page is what of a markdown file can be cited.
type page struct {
	sections []string // numbers or letters that headings begin with: "4.2", "B"
	anchors  []string // as GitHub makes them of headings
}

func readPages(t *testing.T, root fs.FS) map[string]page {
	t.Helper()
	heading := regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	number := regexp.MustCompile(`^(\d+(?:\.\d+)*|[A-Z]\d?)\.? `)
	pages := map[string]page{}
	for name, text := range textFiles(t, root) {
		if path.Ext(name) != ".md" {
			continue
		}
		p := page{}
		for _, m := range heading.FindAllStringSubmatch(text, -1) {
			p.anchors = append(p.anchors, anchor(m[1]))
			if n := number.FindStringSubmatch(m[1]); n != nil {
				p.sections = append(p.sections, n[1])
			}
		}
		pages[name] = p
	}
	return pages
}

func anchor(heading string) string {
	kept := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
			return r
		}
		return -1
	}, strings.ToLower(heading))
	return strings.TrimSpace(kept)
}

// textFiles are the files that people write: sources, pages, scripts. What tests recorded or made is not among them.
func textFiles(t *testing.T, root fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", ".cache", "bin", "dist", "fuzz"}, d.Name()) {
			return fs.SkipDir
		}
		written := slices.Contains([]string{".go", ".md", ".sh", ".proto", ".txtar", ".yml"}, path.Ext(name)) ||
			path.Dir(name) == ".ci" || path.Base(name) == "Makefile"
		if !d.Type().IsRegular() || !written || name == "test/docs/citations_test.go" { // which cites what is not there
			return nil
		}
		text, err := fs.ReadFile(root, name)
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// deadCitations are the citations that lead nowhere, one sentence each, sorted.
func deadCitations(t *testing.T, root fs.FS, pages map[string]page) []string {
	t.Helper()
	lineEnd := regexp.MustCompile(`\s*\n\s*(?://|#)?\s*`)
	outside := regexp.MustCompile(`(?:^|[^/\w])(?:facts/[\w.-]+\.md|DESIGN(?:\.md| \d))`)
	var found []string
	for name, text := range textFiles(t, root) {
		flat := lineEnd.ReplaceAllString(text, " ")
		found = append(found, deadNames(name, flat, pages)...)
		if path.Ext(name) == ".md" {
			found = append(found, deadLinks(name, text, root, pages)...)
		} else if m := outside.FindString(flat); m != "" {
			found = append(found, fmt.Sprintf("%s: %q names a page outside of the repository", name, m))
		}
	}
	slices.Sort(found)
	return found
}

// deadNames looks at citations by path: docs/PAGE.md, and docs/PAGE.md 4.2 and 4.3 where the page's headings are numbered.
func deadNames(name, flat string, pages map[string]page) []string {
	const section = `(?:\d+(?:\.\d+)*|[A-Z]\d?)\b`
	cited := regexp.MustCompile(`\b(docs/[\w./-]*\w\.md)\b((?:(?:,? and|,? or|,)? ` + section + `)*)`)
	var found []string
	for _, m := range cited.FindAllStringSubmatch(flat, -1) {
		p, exists := pages[m[1]]
		if !exists {
			found = append(found, fmt.Sprintf("%s: %s does not exist", name, m[1]))
			continue
		}
		for _, s := range regexp.MustCompile(section).FindAllString(m[2], -1) {
			if len(p.sections) > 0 && !slices.Contains(p.sections, s) {
				found = append(found, fmt.Sprintf("%s: %s has no section %s", name, m[1], s))
			}
		}
	}
	return found
}

// deadLinks looks at markdown links, which are relative to the page that they stand in.
func deadLinks(name, text string, root fs.FS, pages map[string]page) []string {
	link := regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]+))?\)`)
	var found []string
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, "code"), -1) {
		target := name
		if m[1] != "" {
			target = path.Join(path.Dir(name), m[1])
		}
		if _, err := fs.Stat(root, target); err != nil {
			found = append(found, fmt.Sprintf("%s: %s does not exist", name, target))
		} else if m[2] != "" && !slices.Contains(pages[target].anchors, m[2]) {
			found = append(found, fmt.Sprintf("%s: %s has no heading #%s", name, target, m[2]))
		}
	}
	return found
}
