package recreate

import (
	"context"
	"fmt"

	"sandkeeper/backup/home"
	"sandkeeper/driver"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// LocateOn finds a sandbox that was just made: by its container where it runs on an engine of this host, else through its
// gateway.
func LocateOn(host *survey.Host, seen survey.Gateways) func(context.Context, lifecycle.Record, driver.Place) (Found, error) {
	return func(ctx context.Context, made lifecycle.Record, at driver.Place) (found Found, err error) {
		told := openshell.ListedSandbox{ID: made.ID, Name: made.Name, Workspace: at.WorkspaceName(), Phase: "Ready"}
		there, err := host.On("").LookFor(ctx, at.Gateway, told) // whatever -g says, its id decides
		if err == nil {
			for _, sb := range there.Inventory.Sandboxes {
				if sb.ID == made.ID && sb.Route == sandbox.ByContainer {
					sb.Gateway, sb.Workspace = at.Gateway, at.WorkspaceName()
					return Found{Sandbox: sb, Engine: there.Engines.Of(*sb.Container)}, nil
				}
			}
		}

		cli := host.CLI(seen)
		if cli == nil {
			return found, fmt.Errorf("sandbox %q has no container on this host, and there is no openshell to reach it through its gateway", sandbox.Address(at.Workspace, made.Name))
		}
		found.CLI = home.Execer(cli)
		found.Sandbox = sandbox.Sandbox{
			Name: made.Name, ID: made.ID, Gateway: at.Gateway, Workspace: at.WorkspaceName(), Listed: true, Standing: sandbox.Ready, Route: sandbox.ByExec,
		}
		return found, nil
	}
}
