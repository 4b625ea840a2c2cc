package openshell

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
)

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

const metadata = `{"name":"nemoclaw","gateway_endpoint":"https://127.0.0.1:8080","is_remote":false,"gateway_port":8080,"auth_mode":"mtls","later":{"x":1}}`

func TestReadRegistration(t *testing.T) {
	home, system := t.TempDir(), t.TempDir()
	e := env.Parse([]string{"HOME=" + home, "OPENSHELL_SYSTEM_GATEWAY_DIR=" + system})
	put(t, filepath.Join(home, ".config/openshell/gateways/nemoclaw/metadata.json"), metadata)
	put(t, filepath.Join(home, ".config/openshell/active_gateway"), "nemoclaw\n")
	put(t, filepath.Join(system, "gateways/nemoclaw/metadata.json"), `{"name":"nemoclaw","gateway_endpoint":"http://system:1"}`)
	put(t, filepath.Join(system, "gateways/edge/metadata.json"), `{"name":"edge","gateway_endpoint":"https://edge.example","is_remote":true,"auth_mode":"oidc"}`)

	for name, want := range map[string]Registration{
		"nemoclaw": {Name: "nemoclaw", Endpoint: "https://127.0.0.1:8080", Port: 8080, Auth: "mtls", Active: true},
		"edge":     {Name: "edge", Endpoint: "https://edge.example", Port: 443, Auth: "oidc", Remote: true},
	} {
		got, err := ReadRegistration(e, name)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if _, err := ReadRegistration(e, "other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want not registered", err)
	}
	for _, name := range []string{"", ".", "..", "../../etc", "a/b", "a\x00b"} {
		if got, err := ReadRegistration(e, name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("name %q: got %+v, %v; want a refusal", name, got, err)
		}
	}
}

func TestDamagedRegistrationIsNotAbsent(t *testing.T) {
	home := t.TempDir()
	e := env.Parse([]string{"HOME=" + home})
	path := filepath.Join(home, ".config/openshell/gateways/n/metadata.json")
	for _, content := range []string{"", "{", "[]", "{}", `{"name":"n"}`, `{"name":"n","gateway_endpoint":7}`} {
		put(t, path, content)
		if got, err := ReadRegistration(e, "n"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: got %+v, %v; want an error that is not absence", content, got, err)
		}
	}
	if err := os.Truncate(path, metadataLimit+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRegistration(e, "n"); !errors.Is(err, homefile.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, homefile.ErrTooLarge)
	}
}

func TestActiveGateway(t *testing.T) {
	home, system := t.TempDir(), t.TempDir()
	put(t, filepath.Join(system, "active_gateway"), " shared \n")
	environ := []string{"HOME=" + home, "OPENSHELL_SYSTEM_GATEWAY_DIR=" + system}
	if got := ActiveGateway(env.Parse(environ)); got != "shared" {
		t.Errorf("system: got %q", got)
	}
	put(t, filepath.Join(home, ".config/openshell/active_gateway"), "mine\n")
	if got := ActiveGateway(env.Parse(environ)); got != "mine" {
		t.Errorf("user: got %q", got)
	}
	if got := ActiveGateway(env.Parse(append(environ, "OPENSHELL_GATEWAY=asked"))); got != "asked" {
		t.Errorf("environment: got %q", got)
	}
	put(t, filepath.Join(home, ".config/openshell/active_gateway"), "../../etc\n")
	if got := ActiveGateway(env.Parse(environ)); got != "shared" {
		t.Errorf("a name that is a path: got %q", got)
	}
}

func TestPortOf(t *testing.T) {
	for endpoint, want := range map[string]int{
		"https://127.0.0.1:8080": 8080, "http://h": 80, "https://h/": 443, "http://[::1]:17670": 17670, "h:1": 0, "": 0, "https://h:99999": 443, "ssh://h": 0,
	} {
		if got := PortOf(endpoint); got != want {
			t.Errorf("%q: got %d, want %d", endpoint, got, want)
		}
	}
}

func FuzzParseRegistration(f *testing.F) {
	f.Add([]byte(metadata))
	f.Add([]byte(`{"name":"","gateway_endpoint":null}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if r, err := ParseRegistration(content); err == nil && (r.Name == "" || r.Endpoint == "") {
			t.Errorf("%q: incomplete: %+v", content, r)
		}
	})
}

func FuzzParseGateways(f *testing.F) {
	f.Add("  NAME  ENDPOINT  TYPE  AUTH\n* n  http://h:1  local  mtls")
	f.Add(`[{"name":"n","endpoint":"http://h","is_remote":null}]`)
	f.Add("No gateways found.")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseGateways(text)
		if (err == nil) == (list == nil) {
			t.Errorf("%q: got %v, %v", text, list, err)
		}
	})
}

func FuzzParseGatewayInfo(f *testing.F) {
	f.Add("Gateway Info\n\n  Gateway: n\n  Gateway endpoint: http://h:1")
	f.Add(`{"gateway":"n","server":"http://h:1","version":"0.0.110"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseGatewayInfo(text); err == nil && r.Name == "" && r.Endpoint == "" {
			t.Errorf("%q: nothing was read and no error given", text)
		}
	})
}
