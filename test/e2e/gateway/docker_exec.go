package gateway

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// execIn runs a command in a container and answers its exit status.
func execIn(ctx context.Context, c *client.Client, id string, options container.ExecOptions, e Exec) (int, error) {
	made, err := c.ContainerExecCreate(ctx, id, options)
	if err != nil {
		return 0, status.Errorf(codes.Unavailable, "supervisor relay failed: %v", err)
	}
	attached, err := c.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return 0, status.Errorf(codes.Unavailable, "supervisor relay failed: %v", err)
	}
	defer attached.Close()
	go func() {
		_, _ = bytes.NewReader(e.Stdin).WriteTo(attached.Conn) // a command that does not read its input is not a failure
		_ = attached.CloseWrite()
	}()
	if _, err := stdcopy.StdCopy(e.Stdout, e.Stderr, attached.Reader); err != nil {
		return 0, status.Errorf(codes.Unavailable, "supervisor relay failed: %v", err)
	}
	ended, err := c.ContainerExecInspect(ctx, made.ID)
	return ended.ExitCode, err
}

// pairsOf is an environment as "name=value", sorted.
func pairsOf(environment map[string]string) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		lines = append(lines, name+"="+environment[name])
	}
	return lines
}

// variable is a value of such an environment.
func variable(lines []string, name string) string {
	for _, line := range lines {
		if value, found := strings.CutPrefix(line, name+"="); found {
			return value
		}
	}
	return ""
}

// older orders as the gateway lists: by creation, then name.
func older(a, b Sandbox) int {
	if order := a.Created.Compare(b.Created); order != 0 {
		return order
	}
	return strings.Compare(a.Name, b.Name)
}
