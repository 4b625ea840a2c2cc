package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// containedGateway is an image with a gateway that leaves a trace in HOME when somebody executes it for its version.
func containedGateway(t *testing.T, e *engine, reference, version string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "openshell-gateway")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "../../gateway/testdata/gateway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e.build(reference, entry{name: "usr/bin/openshell-gateway", mode: 0o755, content: string(program) + "\nVERSION=" + version})
	e.removeImageLater(reference)
}

// Promise: a gateway in a container is never executed on the host, and is no process of this host, whatever its command line says.
func TestAContainersGatewayIsNeverExecuted(t *testing.T) {
	e := newEngine(t)
	for name, host := range map[string]container.HostConfig{
		"without a network":                            {NetworkMode: "none"},
		"on the host's network":                        {NetworkMode: "host"},
		"in the host's process and network namespaces": {NetworkMode: "host", PidMode: "host"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, "0.0.44")
			h.register("alpha")
			reference := fmt.Sprintf("e2e%d/agent:1", h.Port)
			containedGateway(t, e, reference, "0.0.43")
			box := fmt.Sprintf("e2e-agent-%d", h.Port)
			e.create(box, container.Config{
				Image: reference, Env: []string{fmt.Sprintf("STAND_IN_PORT=%d", h.Port)},
				Entrypoint: []string{"/usr/bin/openshell-gateway"}, Cmd: []string{"--port", fmt.Sprint(h.Port), "--name", h.Gateway()},
			}, host)
			e.start(box)
			e.listens(t, box, h.Port)
			got := h.sandkeeper("preflight")
			if _, err := os.Stat(filepath.Join(h.Home, "executed")); err == nil {
				t.Error("the container's file was executed on the host")
			}
			if got.Preflight == nil || got.Preflight.Verdict != "pass" || got.ExitCode != 0 {
				t.Errorf("exit %d, %+v; want what the gateway itself answers to decide", got.ExitCode, got.Preflight)
			}
			if out := h.text("preflight"); strings.Contains(out.stdout, "runs 0.0.43") {
				t.Errorf("it was taken for this host's gateway:\n%s", out.stdout)
			}
		})
	}
}

// Promise: a gateway in a container is judged by the image that it runs, and refusals name the container and no path of this host.
func TestAGatewayInAContainerIsJudgedThroughItsEngine(t *testing.T) {
	e := newEngine(t)
	h := newHost(t, "0.0.44")
	h.register("alpha")
	h.installGateway("0.0.44")
	h.Script.Gateways[0].Version = "0.0.43"
	reference := fmt.Sprintf("e2e%d/openshell/gateway:0.0.43", h.Port)
	containedGateway(t, e, reference, "0.0.43")
	box := fmt.Sprintf("e2e-gateway-%d", h.Port)
	e.create(box, container.Config{
		Image: reference, Env: []string{fmt.Sprintf("STAND_IN_PORT=%d", h.Port)}, Entrypoint: []string{"/usr/bin/openshell-gateway"}, Cmd: []string{"--x"},
		Labels: map[string]string{"com.docker.compose.project": "lab", "com.docker.compose.service": "gateway"},
	}, container.HostConfig{NetworkMode: "host"})
	e.start(box)
	e.listens(t, box, h.Port)
	got := h.sandkeeper("preflight")
	if got.ExitCode != 1 || got.Preflight == nil || got.Preflight.Issue == nil || got.Preflight.Issue.Kind != "image_drift" || got.Preflight.Issue.Running != "0.0.43" {
		t.Fatalf("exit %d, %+v", got.ExitCode, got.Preflight)
	}
	p := h.text("backup-all")
	if !strings.Contains(p.stderr, reference) || !strings.Contains(p.stderr, "docker compose -p lab up -d gateway") || strings.Contains(p.stderr, h.GatewayBinary()) {
		t.Errorf("the refusal says:\n%s", p.stderr)
	}
}
