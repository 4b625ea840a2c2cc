package standin

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin/openshell"
)

// Host is a made-up NemoClaw host in a throw-away home: an openshell that follows a script, a registry, and the gateway
// that a test gives it. The gateway's port makes its name, so hosts on one machine do not meet.
type Host struct {
	Home     string
	Port     int
	Programs Programs
	Script   openshell.Script
}

// NewHost has openshell of the given version and one registered gateway, said to be connected and of that version too.
func NewHost(home string, port int, programs Programs, version string) (*Host, error) {
	h := &Host{Home: home, Port: port, Programs: programs}
	h.Script = openshell.Script{
		Version: version, CallLog: filepath.Join(home, "calls"),
		Gateways: []openshell.Gateway{{Name: h.Gateway(), Endpoint: h.Endpoint(), Version: version, Active: true}},
	}
	if err := h.Write(".config/openshell/active_gateway", h.Gateway()); err != nil {
		return nil, err
	}
	err := h.json(filepath.Join(".config/openshell/gateways", h.Gateway(), "metadata.json"), map[string]any{
		"name": h.Gateway(), "gateway_endpoint": h.Endpoint(), "is_remote": false, "gateway_port": port, "auth_mode": "plaintext",
	})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(h.GatewayBinary()), 0o700); err != nil {
		return nil, err
	}
	if err := programs.OpenShell(filepath.Join(home, ".local/bin/openshell")); err != nil {
		return nil, err
	}
	return h, h.Register()
}

// Gateway is the gateway's name, Endpoint its URL.
func (h *Host) Gateway() string { return fmt.Sprintf("nemoclaw-%d", h.Port) }

// Endpoint is the gateway's URL.
func (h *Host) Endpoint() string { return fmt.Sprintf("http://127.0.0.1:%d", h.Port) }

// GatewayBinary is where the gateway's executable is installed.
func (h *Host) GatewayBinary() string { return filepath.Join(h.Home, ".local/bin/openshell-gateway") }

// Marker is the path of the gateway's runtime marker.
func (h *Host) Marker() string {
	return filepath.Join(h.Home, fmt.Sprintf(".local/state/nemoclaw/openshell-docker-gateway-%d", h.Port), "runtime.json")
}

// Write puts a file into the home.
func (h *Host) Write(path, content string) error {
	path = filepath.Join(h.Home, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o600)
}

func (h *Host) json(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return h.Write(path, string(content)+"\n")
}

// Register writes NemoClaw's registry with a row for each name.
func (h *Host) Register(names ...string) error {
	rows := map[string]any{}
	for _, name := range names {
		rows[name] = map[string]any{
			"name": name, "createdAt": "2026-06-02T09:14:55.120Z", "agent": "openclaw", "openshellDriver": "docker", "gatewayName": h.Gateway(),
			"gatewayPort": h.Port, "gpuEnabled": false, "policies": []string{}, "model": "nvidia/nemotron-3-super-120b-a12b", "provider": "nvidia-prod",
		}
	}
	return h.json(fmt.Sprintf(".nemoclaw/gateways/%d/sandboxes.json", h.Port), map[string]any{"sandboxes": rows, "defaultSandbox": nil})
}

// InstallGateway puts a gateway binary of that version in place, over what is there.
func (h *Host) InstallGateway(version string) error {
	return h.Programs.Gateway(h.GatewayBinary(), version)
}

// StartGateway runs the installed gateway the way NemoClaw does, under its tagged name, waits until it answers, and
// writes its marker. The caller ends the process.
func (h *Host) StartGateway(ctx context.Context) (*exec.Cmd, error) {
	env, err := h.Environment()
	if err != nil {
		return nil, err
	}
	gw := &exec.Cmd{
		Path: h.GatewayBinary(), Args: []string{fmt.Sprintf("openshell-gateway[nemoclaw=%s;port=%d]", h.Gateway(), h.Port)},
		Env: append(env, "OPENSHELL_SERVER_PORT="+strconv.Itoa(h.Port)),
	}
	if err := gw.Start(); err != nil {
		return nil, err
	}
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		if _, err := gateway.Health(ctx, fmt.Sprintf("127.0.0.1:%d", h.Port)); err == nil {
			return gw, h.Mark(gw.Process.Pid)
		}
		time.Sleep(20 * time.Millisecond)
	}

	_ = gw.Process.Kill()
	_ = gw.Wait()
	return nil, fmt.Errorf("the stand-in gateway does not answer on port %d", h.Port)
}

// Mark writes the runtime marker for a process (src/lib/onboard/docker-driver-gateway-runtime-marker.ts).
func (h *Host) Mark(pid int) error {
	path, err := filepath.Rel(h.Home, h.Marker())
	if err != nil {
		return err
	}
	return h.json(path, map[string]any{
		"version": 1, "pid": pid, "driver": "docker", "platform": runtime.GOOS, "arch": "x64", "endpoint": h.Endpoint(),
		"desiredEnvHash": strings.Repeat("0", 64), "gatewayBin": h.GatewayBinary(), "openshellVersion": h.Script.Version,
		"dockerHost": nil, "createdAt": time.Now().UTC().Format(time.RFC3339Nano),
	})
}

// Environment is that of a person on this host, with the script as it is now written to disk.
func (h *Host) Environment() ([]string, error) {
	script := filepath.Join(h.Home, "standin.json")
	return []string{
		"HOME=" + h.Home, "PATH=" + filepath.Join(h.Home, ".local/bin") + ":/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
		"OPENSHELL_STANDIN=" + script, "NEMOCLAW_GATEWAY_PORT=" + strconv.Itoa(h.Port),
	}, Script(script, h.Script)
}
