package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"sandkeeper/test/e2e/gateway"
)

// realVersions are the openshell command lines that fetch-openshell.sh brings.
func realVersions() []string {
	return []string{
		"0.0.36", "0.0.37", "0.0.44", "0.0.50", "0.0.80", "0.0.85", "0.0.92", "0.0.105", "0.0.110",
	}
}

// realCLI is the path of a real openshell of that version; without it the test is skipped by name, or fails where CI promised it.
func realCLI(t *testing.T, version string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../.cache/openshell", version, "openshell"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_OPENSHELL", "openshell "+version+": run test/e2e/fetch-openshell.sh")
	}
	return path
}

// lacks skips loudly, naming what this machine lacks; with the variable set, as CI does, it fails instead.
func lacks(t *testing.T, required, what string) {
	t.Helper()
	if os.Getenv(required) == "1" {
		t.Fatalf("%s=1, but this machine lacks %s", required, what)
	}
	t.Skipf("SKIPPED: this machine lacks %s", what)
}

// serve runs a gateway of the given version and returns its endpoint.
func serve(t *testing.T, version string, backend gateway.Backend) string {
	t.Helper()
	return serveGateway(t, &gateway.Server{Version: version, Backend: backend})
}

func serveGateway(t *testing.T, g *gateway.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("gateway %s: %v", g.Version, err)
		}
	})
	return "http://" + l.Addr().String()
}

// configHome is an XDG_CONFIG_HOME in which the CLI finds one gateway, "nemoclaw", active, without TLS.
func configHome(t *testing.T, endpoint string) string {
	t.Helper()
	home := t.TempDir()
	dir := filepath.Join(home, "openshell", "gateways", "nemoclaw")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var port int
	fmt.Sscanf(endpoint, "http://127.0.0.1:%d", &port)
	metadata := fmt.Sprintf(`{"name":"nemoclaw","gateway_endpoint":%q,"is_remote":false,"gateway_port":%d,"auth_mode":"plaintext"}`, endpoint, port)
	write(t, filepath.Join(dir, "metadata.json"), metadata)
	write(t, filepath.Join(home, "openshell", "active_gateway"), "nemoclaw")
	return home
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// printed is what a program left behind.
type printed struct {
	stdout, stderr string
	exit           int
}

// run starts a program with an environment of our making and no standard input.
func run(t *testing.T, env []string, argv ...string) printed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*waitLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	child := exec.CommandContext(ctx, argv[0], argv[1:]...)
	child.Env, child.Stdout, child.Stderr = env, &stdout, &stderr
	err := child.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("%q: %v", argv, err)
	}
	return printed{stdout.String(), stderr.String(), child.ProcessState.ExitCode()}
}

var ports = regexp.MustCompile(`127\.0\.0\.1:\d{5}`)

// steady replaces what differs from run to run.
func steady(text string) string { return ports.ReplaceAllString(text, "127.0.0.1:17670") }
