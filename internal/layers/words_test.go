package layers

import (
	"go/ast"
	"strings"
)

// wordViolations are errors whose text would be that of one of Go's own sentinels ("file does not exist" of a container, "context
// deadline exceeded" of a limit): text.As and text.Within give them words of their own.
func wordViolations(sources []source) []string {
	var found []string
	for _, s := range sources {
		if s.tests() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch callee(call) {
			case "context.WithTimeout":
				found = append(found, s.path+": a limit of context.WithTimeout has no name, that of text.Within has")
			case "fmt.Errorf":
				for _, argument := range call.Args {
					if name := sentinel(argument); name != "" {
						found = append(found, s.path+": prints the words of "+name+", text.As does not")
					}
				}
			}
			return true
		})
	}
	return found
}

// sentinel is the name of the error of a standard package that e is; "" when it is none.
func sentinel(e ast.Expr) string {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := selector.X.(*ast.Ident)
	if !ok {
		return ""
	}
	switch name := selector.Sel.Name; pkg.Name {
	case "fs", "os", "io":
		if strings.HasPrefix(name, "Err") || name == "EOF" {
			return pkg.Name + "." + name
		}
	case "context":
		if name == "DeadlineExceeded" || name == "Canceled" {
			return "context." + name
		}
	}
	return ""
}
