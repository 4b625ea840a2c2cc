package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"sandkeeper/test/e2e/gateway"
)

// update rewrites what is recorded; declared in a function's reach only, so that no package variable changes.
var update = flag.Bool("update", false, "rewrite golden files and docs/compatibility.md")

// gatewayVersions are one or more versions of every wire generation.
func gatewayVersions() []string {
	return []string{"0.0.36", "0.0.37", "0.0.50", "0.0.80", "0.0.85", "0.0.110", "0.1.4"}
}

// population is the sandboxes of the recorded gateways. Ids are chosen: what an old sandbox's id looks like to a new client
// decides the wording of the decode error.
func population() []gateway.Sandbox {
	at := time.Date(2026, 8, 21, 14, 15, 56, 0, time.UTC)
	ids := []string{
		"0b1c8a52-6c7e-4a53-9c5e-3f0f3b6a2d11", "4f6d2c1e-91aa-4f0e-8a7b-5b1f0d9c3e22", "e3a90c77-0d24-4f4b-b0c6-77f1d2a85b33",
		"c55e1f90-2b3c-4d6e-9f1a-0a9b8c7d6e44", "d1d2d3d4-5e6f-4a1b-8c2d-3e4f5a6b7c55", "a7b3f0e1-8d9c-4b2a-a1f0-e9d8c7b6a566",
	}
	phases := []gateway.Phase{gateway.Ready, gateway.Provisioning, gateway.Failed, gateway.Ready, gateway.Deleting, gateway.Ready}
	var all []gateway.Sandbox
	for i, name := range []string{"alpha", "beta", "gamma", "delta", "epsilon", "a-rather-long-name"} {
		all = append(all, gateway.Sandbox{
			ID: ids[i], Name: name, Image: "openshell/sandbox-from:1780391612", Phase: phases[i], Created: at.Add(time.Duration(i) * time.Hour),
			Labels: map[string]string{"team": "blue"}, Providers: []string{"nvidia-prod"},
		})
	}
	return all
}

// recorded are the calls whose output is kept, by the name of their section.
func recorded() []struct {
	section string
	argv    string
	wrapped bool // without NO_GRAPHICS, as people and older tools see it
} {
	return []struct {
		section string
		argv    string
		wrapped bool
	}{
		{"status", "status", false},
		{"status-json", "status -o json", false},
		{"gateway-info", "gateway info", false},
		{"gateway-info-named", "gateway info -g nemoclaw", false},
		{"gateway-list", "gateway list", false},
		{"gateway-list-json", "gateway list -o json", false},
		{"sandbox-list", "sandbox list", false},
		{"sandbox-list-json", "sandbox list -o json", false},
		{"sandbox-list-paged", "sandbox list --limit 2 --offset 2", false},
		{"sandbox-list-names", "sandbox list --names", false},
		{"sandbox-list-wrapped", "sandbox list", true},
		{"sandbox-get-alpha", "sandbox get alpha", false},
		{"sandbox-get-beta", "sandbox get beta", false},
		{"sandbox-get-gamma", "sandbox get gamma", false},
		{"sandbox-get-delta", "sandbox get delta", false},
		{"sandbox-get-epsilon", "sandbox get epsilon", false},
		{"sandbox-get-missing", "sandbox get missing", false},
		{"sandbox-exec", "sandbox exec -n alpha -- true", false},
		{"sandbox-exec-beta", "sandbox exec -n beta -- true", false},
		{"sandbox-stop", "sandbox stop missing", false},
		{"sandbox-delete", "sandbox delete missing", false},
		{"unknown-gateway", "sandbox list -g elsewhere", false},
		{"unknown-command", "frobnicate", false},
	}
}

// TestRecordedOutput runs every real openshell against a gateway of every wire generation and holds what it prints against
// testdata/real. Parsers elsewhere in the repository use these files as samples.
func TestRecordedOutput(t *testing.T) {
	for _, cli := range realVersions() {
		t.Run("cli-"+cli, func(t *testing.T) {
			openshell := realCLI(t, cli)
			for _, version := range gatewayVersions() {
				t.Run("gateway-"+version, func(t *testing.T) {
					endpoint := serve(t, version, gateway.NewMemory(population()...))
					record(t, openshell, cli, version, configHome(t, endpoint))
				})
			}
			for _, version := range []string{"0.0.50", "0.0.80"} {
				t.Run("gateway-"+version+"-gpu", func(t *testing.T) {
					backend := gateway.NewMemory(gateway.Sandbox{ID: "5f0c2d3e-1111-4222-8333-944455566677", Name: "trainer", GPU: true, Phase: gateway.Ready})
					record(t, openshell, cli, version+"-gpu", configHome(t, serve(t, version, backend)))
				})
			}
			t.Run("gateway-empty", func(t *testing.T) {
				record(t, openshell, cli, "empty", configHome(t, serve(t, cli, gateway.NewMemory())))
			})
			t.Run("gateway-down", func(t *testing.T) {
				record(t, openshell, cli, "down", configHome(t, "http://127.0.0.1:1"))
			})
			t.Run("gateway-none", func(t *testing.T) {
				record(t, openshell, cli, "none", t.TempDir())
			})
		})
	}
}

func record(t *testing.T, openshell, cli, version, home string) {
	t.Helper()
	var got txtar.Archive
	got.Comment = fmt.Appendf(nil, "openshell %s against a gateway %s: stdout, stderr and exit status of each call\n", cli, version)
	for _, call := range recorded() {
		env := []string{"HOME=/nonexistent", "XDG_CONFIG_HOME=" + home, "LANG=C.UTF-8", "PATH=/usr/bin:/bin"}
		if !call.wrapped {
			env = append(env, "NO_GRAPHICS=1")
		}
		p := run(t, env, append([]string{openshell}, strings.Fields(call.argv)...)...)
		got.Files = append(got.Files,
			txtar.File{Name: call.section + ".stdout", Data: []byte(ended(steady(p.stdout)))},
			txtar.File{Name: call.section + ".stderr", Data: []byte(ended(steady(p.stderr)))},
			txtar.File{Name: call.section + ".exit", Data: fmt.Appendln(nil, p.exit)},
		)
	}
	golden(t, filepath.Join("testdata", "real", "cli-"+cli, "gateway-"+version+".txtar"), string(txtar.Format(&got)))
}

// ended gives text the final newline that an archive needs.
func ended(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// golden compares got with a file, or writes the file with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, -update rewrites it):\n%s", path, diff)
	}
}
