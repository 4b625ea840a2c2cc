package standin

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin/openshell"
)

func TestGatewayKeepsItsVersionWhenReplaced(t *testing.T) {
	programs, err := Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "openshell-gateway")
	if err := programs.Gateway(path, "0.0.36"); err != nil {
		t.Fatal(err)
	}
	running := exec.Command(path)
	running.Env = []string{"OPENSHELL_SERVER_PORT=0"}
	out, err := running.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = running.Process.Signal(os.Interrupt)
		if err := running.Wait(); err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	}()
	if err := programs.Gateway(path, "0.0.37"); err != nil {
		t.Fatal(err)
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(strings.TrimSpace(said), " listens on ")
	if got, err := gateway.Health(t.Context(), address); got != "0.0.36" {
		t.Errorf("the running gateway says %q, %v", got, err)
	}
	if got := version(t, path); got != "openshell-gateway 0.0.37" {
		t.Errorf("the file says %q", got)
	}
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		return
	}
	if got := version(t, fmt.Sprintf("/proc/%d/exe", running.Process.Pid)); got != "openshell-gateway 0.0.36" {
		t.Errorf("the process image says %q", got)
	}
}

func TestOpenShellAsksALiveGateway(t *testing.T) {
	programs, err := Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := programs.OpenShell(filepath.Join(dir, "openshell")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go (&gateway.Server{Version: "0.0.44", Backend: gateway.NewMemory()}).Serve(ctx, l)
	script := filepath.Join(dir, "standin.json")
	live := openshell.Gateway{Name: "nemoclaw", Endpoint: "http://" + l.Addr().String(), Active: true, Live: true}
	if err := Script(script, openshell.Script{Version: "0.0.50", Gateways: []openshell.Gateway{live}}); err != nil {
		t.Fatal(err)
	}
	status := func() string {
		cmd := exec.Command(filepath.Join(dir, "openshell"), "status")
		cmd.Env = []string{"OPENSHELL_STANDIN=" + script}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	if got := status(); !strings.Contains(got, "0.0.44") || !strings.Contains(got, "Connected") {
		t.Errorf("status of the live gateway: %s", got)
	}
	cancel()
	for range 500 {
		if strings.Contains(status(), "Connection refused") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("status of the stopped gateway: %s", status())
}

func TestVersionAtEnd(t *testing.T) {
	if _, err := versionAtEnd(bytes.NewReader(make([]byte, 300))); err == nil {
		t.Error("an executable without a version passes")
	}
	got, err := versionAtEnd(strings.NewReader(strings.Repeat("x", 300) + trailer + "0.1.4\n"))
	if err != nil || got != "0.1.4" {
		t.Errorf("got %q, %v", got, err)
	}
}

func version(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		t.Fatalf("%s --version: %v", path, err)
	}
	return strings.TrimSpace(string(out))
}
