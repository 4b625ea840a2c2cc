package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file of the tree; its path is relative to the module's root, with slashes.
type source struct {
	path string
	file *ast.File
}

// pkg is the room that s belongs to: its folder, "internal/<name>" for everything below that, "examples" for every example, or "main"
// at the root.
func (s source) pkg() string {
	dir := path.Dir(s.path)
	parts := strings.Split(dir, "/")

	switch {
	case dir == ".":
		return "main"
	case parts[0] == "internal" && len(parts) > 1:
		return "internal/" + parts[1]
	case parts[0] == "examples":
		return "examples"
	}
	return dir
}

// tests reports whether s is never part of the program: a test, or a package that only tests import.
func (s source) tests() bool {
	return strings.HasSuffix(s.path, "_test.go") || strings.HasPrefix(s.path, "test/") || strings.HasSuffix(path.Dir(s.path), "test")
}

func (s source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, name)
		}
	}
	return paths
}

func parse(t *testing.T, name string, content any) source {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{name, file}
}

// tree parses every Go file below root that belongs to this module.
func tree(t *testing.T, root string) []source {
	t.Helper()
	var sources []source
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(root, name)
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		content, err := os.ReadFile(path.Join(root, name))
		if err != nil {
			return err
		}
		sources = append(sources, parse(t, name, content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// enter skips what is no source of this module: hidden folders, test data, and modules of their own.
func enter(root, dir string) error {
	base := path.Base(dir)
	if dir == "." {
		return nil
	}
	if strings.HasPrefix(base, ".") || base == "testdata" || base == "vendor" {
		return fs.SkipDir
	}
	if _, err := os.Stat(path.Join(root, dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func under(name, prefix string) bool { return name == prefix || strings.HasPrefix(name, prefix+"/") }
