//go:build !linux

package engine

import "context"

// Locked names no entry: engines of other systems keep their layers in a virtual machine.
func (l Layer) Locked(context.Context, string) []string { return nil }
