package sandbox

import "strings"

// Address is how people write a sandbox: its name, with "workspace/" before it where that is not the default one.
func Address(workspace, name string) string {
	if workspace == "" || workspace == DefaultWorkspace {
		return name
	}
	return workspace + "/" + name
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
