// Package docs answers one question: is what the documentation says so? All of it is tests: every page and section that
// a comment or another page cites exists.
package docs
