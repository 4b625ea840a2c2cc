package sandbox

import "testing"

// A printed command that forgets the workspace or the gateway acts on another sandbox of the name.
func TestInvocationIsOfOneSandboxOnly(t *testing.T) {
	for want, sb := range map[string]Sandbox{
		"openshell sandbox stop alpha":                           {Name: "alpha"},
		"openshell sandbox stop alpha -g gw":                     {Name: "alpha", Gateway: "gw", Workspace: DefaultWorkspace},
		"openshell sandbox stop alpha -g gw --workspace team2":   {Name: "alpha", Gateway: "gw", Workspace: "team2"},
		"openshell sandbox stop 'a b' -g 'g w' --workspace 'a;'": {Name: "a b", Gateway: "g w", Workspace: "a;"},
	} {
		if got := sb.Invocation("stop"); got != want {
			t.Errorf("%+v: %s, want %s", sb, got, want)
		}
	}
}
