package sandbox

import (
	"slices"

	"sandkeeper/engine"
)

// Names are all names, sorted, that the registry or a container has.
func Names(registry Registry, containers []engine.Container) []string {
	var names []string
	for _, row := range registry.Rows {
		names = append(names, row.Name)
	}
	for _, c := range containers {
		if c.SandboxName != "" {
			names = append(names, c.SandboxName)
		}
	}

	slices.Sort(names)
	return slices.Compact(names)
}
