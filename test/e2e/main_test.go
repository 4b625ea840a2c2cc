// Package e2e tests the whole program: against a real container engine, gateway processes, and openshell command lines, stand-in
// and real. What this machine lacks is skipped by name.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"sandkeeper/test/standin"
)

// programs is the variable in which TestMain hands the folder of built programs to the tests.
const programs = "SANDKEEPER_E2E_PROGRAMS"

// TestMain builds sandkeeper and the stand-ins once.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sandkeeper-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv(programs, dir)
	defer removeNetwork()()
	return m.Run()
}

// removeNetwork answers a function that removes the network that gateways share, unless it was there before.
func removeNetwork() func() {
	nothing := func() {}
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nothing
	}
	const shared = "openshell-docker"
	if _, err := c.NetworkInspect(context.Background(), shared, network.InspectOptions{}); !errdefs.IsNotFound(err) {
		return nothing
	}
	return func() { _ = c.NetworkRemove(context.Background(), shared) } // usually no test has made it
}

func build(ctx context.Context, dir string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "sandkeeper"), "sandkeeper").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build sandkeeper: %w\n%s", err, out)
	}
	_, err = standin.Build(ctx, dir)
	return err
}
