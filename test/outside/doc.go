// Package outside answers whether somebody outside this module can build on it with what docs/extensions.md says. All
// of it is a test that does what the guide says, to the letter, in a folder of its own.
package outside
