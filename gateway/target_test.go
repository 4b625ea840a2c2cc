package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sandkeeper/internal/env"
)

// registered writes the CLI's registration of a gateway into a home.
func registered(t *testing.T, home, name, endpoint string, remote bool) {
	t.Helper()
	path := filepath.Join(home, ".config/openshell/gateways", name, "metadata.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	far := map[bool]string{true: "true", false: "false"}[remote]
	write(`{"name":"`+name+`","gateway_endpoint":"`+endpoint+`","is_remote":`+far+`,"gateway_port":1}`)(t, path)
}

func TestChooseTarget(t *testing.T) {
	tests := []struct {
		name     string
		options  Options
		env      string
		active   string
		nemoclaw bool
		want     string // name port source
	}{
		{"nothing at all", Options{}, "", "", false, "openshell 17670 default"},
		{"nemoclaw is here", Options{}, "", "", true, "nemoclaw 8080 ~/.nemoclaw"},
		{"active gateway", Options{}, "", "team", true, "team 17670 active_gateway"},
		{"OPENSHELL_GATEWAY", Options{}, "OPENSHELL_GATEWAY=lab", "team", true, "lab 17670 OPENSHELL_GATEWAY"},
		{"the registry's name", Options{GatewayName: "nemoclaw-8091"}, "OPENSHELL_GATEWAY=lab", "", true, "nemoclaw-8091 8091 the registry"},
		{"the registry's port", Options{GatewayPort: 8092, GatewayName: "x"}, "OPENSHELL_GATEWAY=lab", "", true, "nemoclaw-8092 8092 the registry"},
		{"NEMOCLAW_GATEWAY_PORT", Options{GatewayPort: 8092}, "NEMOCLAW_GATEWAY_PORT=8091", "", true, "nemoclaw-8091 8091 NEMOCLAW_GATEWAY_PORT"},
		{"NEMOCLAW_GATEWAY_PORT default", Options{}, "NEMOCLAW_GATEWAY_PORT= 8080 ", "", true, "nemoclaw 8080 NEMOCLAW_GATEWAY_PORT"},
		{"-g", Options{Gateway: "other"}, "NEMOCLAW_GATEWAY_PORT=8091", "", true, "other 17670 -g"},
		{"nemoclaw-8080 is not canonical", Options{Gateway: "nemoclaw-8080"}, "", "", true, "nemoclaw-8080 17670 -g"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			if test.nemoclaw {
				if err := os.Mkdir(filepath.Join(home, ".nemoclaw"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if test.active != "" {
				path := filepath.Join(home, ".config/openshell/active_gateway")
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				write(test.active+"\n")(t, path)
			}
			test.options.Env = env.Parse([]string{"HOME=" + home, "OPENSHELL_SYSTEM_GATEWAY_DIR=" + home + "/none", test.env})
			got := ChooseTarget(t.Context(), test.options)
			if line := got.Name + " " + strconv.Itoa(got.Port) + " " + got.Source; line != test.want || got.Err != nil || got.Remote {
				t.Errorf("ChooseTarget = %s (%v, remote %v), want %s", line, got.Err, got.Remote, test.want)
			}
		})
	}
}

func TestTargetFromRegistration(t *testing.T) {
	tests := []struct {
		name, endpoint string
		saysRemote     bool
		port           int
		remote         bool
	}{
		{"loopback", "https://127.0.0.1:18080", false, 18080, false},
		{"localhost", "http://localhost:17670", false, 17670, false},
		{"IPv6 loopback", "https://[::1]:9000", false, 9000, false},
		{"any address", "http://0.0.0.0:8080", false, 8080, false},
		{"registered as remote", "http://127.0.0.1:8080", true, 8080, true},
		{"another host", "https://gateway.example.com", false, 443, true},
		{"another address", "https://203.0.113.7:8443", false, 8443, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			registered(t, home, "lab", test.endpoint, test.saysRemote)
			got := ChooseTarget(t.Context(), Options{Gateway: "lab", Env: env.Parse([]string{"HOME=" + home})})
			if got.Port != test.port || got.Remote != test.remote || got.Endpoint != test.endpoint {
				t.Errorf("ChooseTarget = %+v, want port %d, remote %v", got, test.port, test.remote)
			}
		})
	}
}

func TestTargetRefusesNames(t *testing.T) {
	for _, name := range []string{"../etc", "a/b", "..", ".", "-o", "a b", "x\x00y", "line\nbreak", strings.Repeat("n", 300)} {
		got := ChooseTarget(t.Context(), Options{Gateway: name})
		if !errors.Is(got.Err, ErrBadName) {
			t.Errorf("ChooseTarget(%q).Err = %v, want ErrBadName", name, got.Err)
		}
	}
	for _, port := range []string{"80x", "0", "70000", "-1"} {
		got := ChooseTarget(t.Context(), Options{Env: env.Parse([]string{"NEMOCLAW_GATEWAY_PORT=" + port})})
		if !errors.Is(got.Err, ErrBadName) || !strings.Contains(got.Err.Error(), "NEMOCLAW_GATEWAY_PORT") {
			t.Errorf("NEMOCLAW_GATEWAY_PORT=%s: %v, want ErrBadName that names the variable", port, got.Err)
		}
	}
}

func TestUnreadableRegistrationIsADoubt(t *testing.T) {
	home := t.TempDir()
	registered(t, home, "lab", "http://127.0.0.1:1", false)
	write("{")(t, filepath.Join(home, ".config/openshell/gateways/lab/metadata.json"))
	got := ChooseTarget(t.Context(), Options{Gateway: "lab", Env: env.Parse([]string{"HOME=" + home})})
	if got.Doubt == "" || got.Name != "lab" {
		t.Errorf("ChooseTarget = %+v, want a doubt about the registration", got)
	}
}
