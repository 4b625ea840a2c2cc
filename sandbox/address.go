package sandbox

import (
	"strings"

	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/text"
)

// Address is how people write a sandbox, as sandboxname.Address says.
func Address(workspace, name string) string { return sandboxname.Address(workspace, name) }

// Invocation is the command line with which OpenShell's CLI does verb ("stop", "start" or "delete") to this sandbox, and
// to no other sandbox of its name: the active gateway may be another one. CLIs before 0.0.88 know no --workspace, and
// the default workspace is the CLI's own (docs/facts/openshell.md 2.3), so only another one is named.
func (s Sandbox) Invocation(verb string) string {
	line := "openshell sandbox " + verb + " " + text.ShellWord(s.Name)
	if s.Gateway != "" {
		line += " -g " + text.ShellWord(s.Gateway)
	}
	if s.Workspace != "" && s.Workspace != DefaultWorkspace {
		line += " --workspace " + text.ShellWord(s.Workspace)
	}
	return line
}

// ParseAddress takes "workspace/name" apart; workspace is "" where none is said.
func ParseAddress(address string) (workspace, name string) {
	workspace, name, both := strings.Cut(address, "/")
	if !both {
		return "", address
	}
	return workspace, name
}

// Answers reports whether s may be what was written: its name, and its workspace where one was said.
func (s Sandbox) Answers(address string) bool {
	workspace, name := ParseAddress(address)
	return s.Name == name && (workspace == "" || s.Workspace == workspace)
}
