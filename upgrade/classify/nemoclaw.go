package classify

import (
	"context"
	"fmt"

	"sandkeeper/drift"
	"sandkeeper/internal/command"
	"sandkeeper/internal/env"
	"sandkeeper/internal/trust"
)

// NemoClawVersion is what `nemoclaw --version` prints; path is the absolute path of the command. Only output that names
// nemoclaw counts.
func NemoClawVersion(ctx context.Context, e env.Env, uid int, path string) (string, error) {
	version, err := programVersion(ctx, e, uid, path, "nemoclaw")
	return version.String(), err
}

// SupervisorFileVersion is the version of an openshell-sandbox binary on the host, such as the bind source of a stopped
// sandbox's supervisor.
func SupervisorFileVersion(ctx context.Context, e env.Env, uid int, path string) (drift.Version, error) {
	return programVersion(ctx, e, uid, path, "openshell-sandbox")
}

// SupervisorVersion reads the output of `openshell-sandbox --version`.
func SupervisorVersion(output string) (drift.Version, error) {
	version, ok := drift.ToolVersion(output, "openshell-sandbox")
	if !ok {
		return drift.Version{}, fmt.Errorf("the supervisor's --version does not name openshell-sandbox")
	}
	return version, nil
}

func programVersion(ctx context.Context, e env.Env, uid int, path, name string) (drift.Version, error) {
	if err := trust.Executable(path, uid); err != nil {
		return drift.Version{}, err
	}
	result, err := command.Run(ctx, command.Command{Path: path, Args: []string{"--version"}, Env: e.Child("NO_COLOR=1"), Timeout: command.DefaultTimeout})
	if err != nil {
		return drift.Version{}, err
	}
	version, ok := drift.ToolVersion(result.Combined(), name)
	if !ok {
		return drift.Version{}, fmt.Errorf("the output of %s --version does not name %s", path, name)
	}
	return version, nil
}
