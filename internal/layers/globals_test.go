package layers

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// globalViolations are init functions, uses of the process's own state outside the edge, and package variables that could change.
func globalViolations(sources []source) []string {
	var found []string
	for _, s := range sources {
		if s.tests() {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					found = append(found, s.path+": has an init function")
				}
			case *ast.GenDecl:
				found = append(found, variables(s, d, sources)...)
			}
		}
		if !edge(s) {
			found = append(found, processState(s)...)
		}
	}
	return found
}

// edge reports whether s may touch the process: main.go, what runs test programs again, and the file of cmd that declares SystemStreams.
func edge(s source) bool {
	if s.path == "main.go" || s.pkg() == "examples" || s.pkg() == "tools" || s.pkg() == "internal/apart" {
		return true
	}
	return s.pkg() == "cmd" && slices.ContainsFunc(s.file.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		return ok && f.Recv == nil && f.Name.Name == "SystemStreams"
	})
}

func processState(s source) []string {
	var found []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "os" && slices.Contains([]string{
			"Getenv", "LookupEnv", "Environ", "Setenv", "Unsetenv", "ExpandEnv", "Exit", "Args", "Stdin", "Stdout", "Stderr",
		}, selector.Sel.Name) {
			found = append(found, fmt.Sprintf("%s: uses os.%s outside cmd.SystemStreams", s.path, selector.Sel.Name))
		}
		return true
	})
	return found
}

func variables(s source, d *ast.GenDecl, all []source) []string {
	if d.Tok != token.VAR || embeds(d.Doc) {
		return nil
	}
	var found []string
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		for n, name := range v.Names {
			if name.Name == "_" || embeds(v.Doc) || n < len(v.Values) && constant(s, name.Name, v.Values[n], all) {
				continue
			}
			found = append(found, fmt.Sprintf("%s: package variable %s can change", s.path, name.Name))
		}
	}
	return found
}

// constant reports whether a variable is one in name only: something made once that cannot be changed (an expression, an error), or,
// private to its package and written to by nothing there, a table, a key, or a value computed on first use.
func constant(s source, name string, value ast.Expr, all []source) bool {
	private := !ast.IsExported(name) && !written(s, name, all)
	switch v := value.(type) {
	case *ast.CallExpr:
		if bytes, ok := v.Fun.(*ast.ArrayType); ok && bytes.Len == nil {
			return private
		}
		return slices.Contains([]string{"regexp.MustCompile", "errors.New", "strings.NewReplacer", "fmt.Errorf"}, callee(v)) ||
			(callee(v) == "sync.OnceValue" || callee(v) == "pattern.Of") && private
	case *ast.CompositeLit:
		switch v.Type.(type) {
		case *ast.ArrayType, *ast.MapType:
			return private
		}
	}
	return false
}

func callee(call *ast.CallExpr) string {
	if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
		if pkg, ok := selector.X.(*ast.Ident); ok {
			return pkg.Name + "." + selector.Sel.Name
		}
	}
	return ""
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}
