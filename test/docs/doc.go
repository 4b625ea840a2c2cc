// Package docs answers one question: is what the documentation says so? All of it is tests: every page and section that
// a comment or another page cites exists, every command that is shown is understood, every script that is shown does
// what is said.
package docs
