package openshell

import (
	"path/filepath"

	"sandkeeper/test/e2e/gateway"
)

// Backend is the sandboxes of the script at path that are folders named after them, for a stand-in gateway that is to
// tell the same as the command line. Path "" is a gateway without sandboxes.
func Backend(path string) (*gateway.Memory, error) {
	if path == "" {
		return gateway.NewMemory(), nil
	}
	script, err := load(path)
	if err != nil {
		return nil, err
	}
	var known []gateway.Sandbox
	folders := ""
	for _, s := range script.Sandboxes {
		if s.Root == "" || filepath.Base(s.Root) != s.Name {
			continue
		}
		folders = filepath.Dir(s.Root)
		known = append(known, gateway.Sandbox{
			ID: s.ID, Name: s.Name, Workspace: s.Workspace, Labels: s.Labels, Phase: gateway.Ready, Created: s.Created, Image: s.Image,
		})
	}

	served := gateway.NewMemory(known...)
	served.Root = folders
	return served, nil
}
