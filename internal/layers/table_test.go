package layers

import "slices"

// module is the path before every package of ours.
const module = "sandkeeper"

// allowed is the layer table of ARCHITECTURE.md: what of ours each package may import besides internal/*. A package that is not
// in it is a violation, so the table grows with the tree.
func allowed(pkg string) (imports []string, listed bool) {
	switch pkg {
	case "drift", "lifecycle":
		return nil, true
	case "openshell":
		return []string{"drift"}, true
	case "gateway":
		return []string{"drift", "openshell"}, true
	case "preflight":
		return []string{"drift", "gateway", "openshell"}, true
	case "diagnose":
		return []string{"openshell"}, true // its texts made plain, and the wordings of its decoder
	case "sandbox":
		return []string{"gateway", "openshell"}, true
	case "backup":
		return []string{"gateway", "sandbox", "openshell"}, true
	case "upgrade":
		return []string{"backup", "sandbox", "gateway", "lifecycle", "openshell", "preflight", "drift"}, true // drift: versions are read in one way
	case "cmd":
		return []string{"drift", "preflight", "diagnose", "gateway", "openshell", "sandbox", "backup", "lifecycle", "upgrade", "examples"}, true
	case "main":
		return []string{"cmd"}, true
	case "examples":
		return []string{"lifecycle"}, true
	}
	return nil, false
}

// pure are the standard packages that drift and diagnose may use: none of them does I/O.
func pure(path string) bool {
	return slices.Contains([]string{
		"cmp", "errors", "fmt", "iter", "maps", "math", "regexp", "slices", "sort", "strconv", "strings", "sync", "unicode", "unicode/utf8",
	}, path)
}

// owners are the packages that alone may import a foreign module; nil leaves it to everybody.
func owners(path string) []string {
	switch {
	case under(path, "github.com/spf13/cobra"), under(path, "github.com/fatih/color"):
		return []string{"cmd"}
	case under(path, "github.com/docker/docker"), under(path, "github.com/docker/go-connections"):
		return []string{"gateway", "backup"}
	}
	return nil
}
