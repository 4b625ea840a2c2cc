package layers

import (
	"fmt"
	"slices"
	"strings"
)

// importViolations are the imports that the layer table forbids.
func importViolations(sources []source) []string {
	var found []string
	for _, s := range sources {
		if s.tests() {
			continue
		}
		for _, name := range s.imports() {
			if rule := forbidden(s.pkg(), name); rule != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", s.path, name, rule))
			}
		}
	}
	return found
}

// forbidden says which rule keeps pkg from importing name; "" when none does.
func forbidden(pkg, name string) string {
	imports, listed := allowed(pkg)
	internal := strings.HasPrefix(pkg, "internal/")
	switch {
	case !listed && !internal && pkg != "tools":
		return fmt.Sprintf("package %q is not in the layer table", pkg)
	case under(name, module):
		return ours(pkg, strings.TrimPrefix(name, module+"/"), imports, internal)
	case pkg == "drift" && !under(name, "github.com/Masterminds/semver") && !pure(name):
		return "drift is pure: semver and what does no I/O"
	}
	if pkg == "diagnose" && !pure(name) {
		return "diagnose is pure: what does no I/O"
	}
	if only := owners(name); only != nil && !slices.Contains(only, pkg) {
		return "only " + strings.Join(only, " and ") + " may"
	}
	return ""
}

func ours(pkg, name string, imports []string, internal bool) string {
	top, _, _ := strings.Cut(name, "/")
	switch {
	case top == "internal" && pkg == "drift":
		return "drift is pure: semver and what does no I/O"
	case top == "internal" || name == pkg || slices.Contains(imports, name):
		return ""
	case internal:
		return "what is internal serves all layers and knows none"
	}
	return fmt.Sprintf("%s may import %s", pkg, strings.Join(append(slices.Clone(imports), "internal/*"), ", "))
}
