package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheGuideIsFollowedToTheLetter takes every block of the chapter on linking and does it: commands are run, the program is the one
// that is shown, and what the last command prints is what stands below it.
func TestTheGuideIsFollowedToTheLetter(t *testing.T) {
	root := sourceRoot(t)
	blocks := chapter(t, filepath.Join(root, "docs/extensions.md"), "### Linking it in, without a fork")
	dir := t.TempDir()
	out := ""
	for _, b := range blocks {
		switch b.kind {
		case "sh":
			out = shell(t, dir, root, b.text)
		case "go":
			shown(t, filepath.Join(root, "examples/noop/downstream/main.go"), b.text)
		case "":
			if out != b.text {
				t.Errorf("the guide says\n%s\nand it is\n%s", b.text, out)
			}
			out = ""
		}
	}
	if out != "" {
		t.Errorf("the guide does not say what the last command prints:\n%s", out)
	}
	for _, command := range []string{"go test ./...", "go build", "extensions list"} {
		if !strings.Contains(blocksText(blocks), command) {
			t.Errorf("the guide no longer says %q", command)
		}
	}
}

// block is one fenced block of a page.
type block struct{ kind, text string }

// chapter is every fenced block under a heading, up to the program that is not sandkeeper.
func chapter(t *testing.T, page, heading string) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), heading+"\n")
	rest, _, ended := strings.Cut(rest, "A program that is not sandkeeper")
	if !found || !ended {
		t.Fatalf("%s has no chapter %q with a known end", page, heading)
	}
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(rest, -1) {
		blocks = append(blocks, block{m[1], m[2]})
	}
	return blocks
}

func blocksText(blocks []block) string {
	var all strings.Builder
	for _, b := range blocks {
		all.WriteString(b.text)
	}
	return all.String()
}

// shell runs the commands of one block as a person would, and returns what the last of them printed to standard output. Modules come
// from where they were loaded to before: the requirements of a copy may be behind those of the source.
func shell(t *testing.T, dir, root, commands string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "/bin/sh", "-eu", "-c", commands)
	c.Dir = dir
	c.Env = append(os.Environ(), "SANDKEEPER="+root, "GOFLAGS=-mod=mod", "GONOSUMDB=*", "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "HOME="+dir,
		"GOPATH="+goEnv(t, "GOPATH"), "GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+goEnv(t, "GOMODCACHE"))
	var problems strings.Builder
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", commands, err, out, problems.String())
	}
	if strings.Contains(commands, "go test") {
		for line := range strings.Lines(string(out)) {
			t.Log(strings.TrimSpace(line))
		}
		return ""
	}
	return string(out)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// shown fails the test unless the page shows the file as it is, but for its comments.
func shown(t *testing.T, file, text string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code := regexp.MustCompile(`(?m)^//.*\n`).ReplaceAllString(string(source), ""); code != text {
		t.Errorf("the guide shows\n%s\nand %s is\n%s", text, file, code)
	}
}

func sourceRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}
