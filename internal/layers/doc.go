// Package layers answers one question: does the tree still have the shape that ARCHITECTURE.md draws? All of it is a
// test over the sources, so that a forbidden import, an init function or a mutable package variable fails the build of
// whoever adds it.
package layers
