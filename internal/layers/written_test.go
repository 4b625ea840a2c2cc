package layers

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
)

// written reports whether anything in the package of s assigns to name or to a part of it, takes its address, or empties it. A local
// variable of the same name counts as well: then it should be called something else.
func written(s source, name string, all []source) bool {
	for _, other := range all {
		if path.Dir(other.path) != path.Dir(s.path) {
			continue
		}
		writes := false
		ast.Inspect(other.file, func(n ast.Node) bool {
			writes = writes || writesTo(n, name)
			return !writes
		})
		if writes {
			return true
		}
	}
	return false
}

func writesTo(n ast.Node, name string) bool {
	is := func(e ast.Expr) bool { return root(e) == name }
	switch n := n.(type) {
	case *ast.AssignStmt:
		return slices.ContainsFunc(n.Lhs, is)
	case *ast.IncDecStmt:
		return is(n.X)
	case *ast.UnaryExpr:
		return n.Op == token.AND && is(n.X)
	case *ast.CallExpr:
		f, ok := n.Fun.(*ast.Ident)
		return ok && len(n.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy", "append"}, f.Name) && is(n.Args[0])
	}
	return false
}

// root is the variable that e is a part of.
func root(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.IndexExpr:
		return root(e.X)
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	case *ast.StarExpr:
		return root(e.X)
	case *ast.SliceExpr:
		return root(e.X)
	}
	return ""
}
