package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sandkeeper/engine"
)

// Ambiguity names every container that claims the sandbox.
func Ambiguity(sb Sandbox) string {
	names := make([]string, 0, len(sb.Rivals))
	for _, c := range sb.Rivals {
		names = append(names, fmt.Sprintf("%q", c.Name))
	}
	text := cmp.Or(sb.Reason, "several containers claim it and nothing decides")
	if missing := slices.ContainsFunc(sb.Rivals, func(c engine.Container) bool { return !strings.Contains(text, c.Name) }); missing {
		text += ": " + strings.Join(names, ", ")
	}
	return text
}
