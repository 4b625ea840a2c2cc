package sandbox

import (
	"path/filepath"
	"strings"

	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/sandboxname"
)

// workspaceRoot is the home that a gateway of this host has noted for a sandbox of its docker driver, "" where it has
// noted none: docker-sandbox-tokens/NAMESPACE/ID/workspace-root below the state folder (docs/facts/openshell-0.1.md
// 1.1).
func workspaceRoot(e env.Env, c engine.Container) string {
	if e.StateHome() == "" || sandboxname.Check(c.Namespace) != nil || sandboxname.Check(c.SandboxID) != nil {
		return ""
	}
	file := filepath.Join(e.StateHome(), "openshell/docker-sandbox-tokens", c.Namespace, c.SandboxID, "workspace-root")
	content, err := homefile.Read(e.Home(), file, 4096)
	if err != nil {
		return "" // it is a hint: the image decides where there is none
	}
	return strings.TrimSpace(string(content))
}
