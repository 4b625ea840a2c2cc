package sandboxname

// DefaultWorkspace is the workspace of every sandbox of which none is said: the only one before OpenShell 0.0.88, and
// the one in which NemoClaw makes its own.
const DefaultWorkspace = "default"

// Address is how people write a sandbox: its name, with "workspace/" before it where that is not the default one. Names
// are unique in a workspace only, so whatever is printed of a sandbox prints this.
func Address(workspace, name string) string {
	if workspace == "" || workspace == DefaultWorkspace {
		return name
	}
	return workspace + "/" + name
}
