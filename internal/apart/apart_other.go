//go:build !linux

// Package apart runs the tests of a package in a network namespace of their own, which only Linux has. Tests only.
package apart

// Main runs the tests.
func Main(run func()) { run() }
