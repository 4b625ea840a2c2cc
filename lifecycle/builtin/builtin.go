// Package builtin holds the lifecycle extensions that every sandkeeper has linked in. It uses nothing of package
// lifecycle that a downstream extension could not use as well.
package builtin

import "sandkeeper/lifecycle"

// Definitions returns the built-in extensions. A downstream appends its own and hands the sum to lifecycle.NewRegistry.
func Definitions() []lifecycle.Definition {
	return []lifecycle.Definition{FleetLabels(), WorkloadIdentity(), ExecHooks()}
}

// Registry is the set of the built-in extensions and any others.
func Registry(more ...lifecycle.Definition) (lifecycle.Registry, error) {
	return lifecycle.NewRegistry(append(Definitions(), more...)...)
}
