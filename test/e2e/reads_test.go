package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sandkeeper/test/e2e/gateway"
)

// realPolicy is a SandboxPolicy as a real gateway stores one: filesystem2{read_only2}, process4{run_as_user1, run_as_group2},
// network_policies5{"git": {name1, endpoints2{host1, port2}}}.
func realPolicy(host string) []byte {
	rule := slices.Concat(protoText(1, "git"), protoPart(2, protoText(1, host), protoNumber(2, 443)))
	return slices.Concat(
		protoNumber(1, 1), protoPart(2, protoText(2, "/usr"), protoText(3, "/sandbox")),
		protoPart(4, protoText(1, "sandbox"), protoText(2, "sandbox")), protoPart(5, protoText(1, "git"), protoPart(2, rule)),
	)
}

// TestRealCommandLinesReadProvidersAndPolicies runs every real openshell against a gateway of its own version: what the gateway answers
// is what these command lines can read.
func TestRealCommandLinesReadProvidersAndPolicies(t *testing.T) {
	for _, version := range realVersions() {
		t.Run(version, func(t *testing.T) {
			cli := realCLI(t, version)
			made := population()[0]
			made.Providers, made.Policy = []string{"github"}, realPolicy("old.example")
			records := gateway.NewRecords(
				gateway.Provider{ID: gateway.NewID(), Name: "github", Type: "github", Credentials: []string{"GITHUB_TOKEN"}, Created: time.Unix(1782000000, 0)},
				gateway.Provider{ID: gateway.NewID(), Name: "nim", Type: "nvidia", Config: map[string]string{"BASE_URL": "https://nim.example"}, Created: time.Unix(1782000001, 0)},
			)
			records.SetPolicy(made.ID, realPolicy("new.example"), gateway.PolicyLoaded)
			records.SetSetting("ocsf_json_enabled", "true")
			home := configHome(t, serveGateway(t, &gateway.Server{Version: version, Backend: gateway.NewMemory(made), Records: records}))
			env := []string{"HOME=/nonexistent", "XDG_CONFIG_HOME=" + home, "LANG=C.UTF-8", "NO_GRAPHICS=1", "PATH=/usr/bin:/bin"}
			for _, c := range realReads(version) {
				p := run(t, env, append([]string{cli}, strings.Fields(c.argv)...)...)
				if p.exit != 0 {
					t.Errorf("openshell %s: exit %d\n%s%s", c.argv, p.exit, p.stdout, p.stderr)
				}
				for _, want := range c.shows {
					if !strings.Contains(p.stdout, want) {
						t.Errorf("openshell %s does not show %q:\n%s%s", c.argv, want, p.stdout, p.stderr)
					}
				}
			}
		})
	}
}

type realRead struct {
	argv  string
	shows []string
}

func realReads(version string) []realRead {
	reads := []realRead{
		{"provider list", []string{"github", "nim", "nvidia"}},
		{"provider get github", []string{"github", "GITHUB_TOKEN"}},
		{"provider get nim", []string{"nvidia", "BASE_URL"}},
		{"policy get alpha --full", []string{"new.example"}},
		{"policy get alpha --rev 1 --full", []string{"old.example"}},
		{"policy list alpha", []string{"1", "2"}},
		{"sandbox get alpha", []string{"alpha", "new.example"}},
		{"settings get alpha", []string{"ocsf_json_enabled", "true"}},
		{"settings get --global", []string{"ocsf_json_enabled", "true"}},
	}
	if gateway.Since(version, 44) {
		reads = append(reads, realRead{"sandbox provider list alpha", []string{"github"}})
	}
	if gateway.Since(version, 64) {
		reads = append(reads, realRead{"provider list -o json", []string{`"name": "github"`, `"credential_keys": [`}})
	}
	return reads
}

// provisioning is a backend whose new sandboxes take a moment to be ready, as real ones do: a command line that watches one waits for
// the change.
type provisioning struct{ *gateway.Memory }

func (p provisioning) Create(ctx context.Context, s gateway.Sandbox) (gateway.Sandbox, error) {
	if _, err := p.Memory.Create(ctx, s); err != nil {
		return gateway.Sandbox{}, err
	}
	made, err := p.SetPhase(ctx, s.Name, gateway.Provisioning)
	time.AfterFunc(300*time.Millisecond, func() { _, _ = p.SetPhase(context.Background(), s.Name, gateway.Ready) })
	return made, err
}

// TestRealCommandLinesCreateAndWatch lets every real openshell create a sandbox: it asks for it, watches it until it is ready, and only
// then, because there is no ssh here, gives up. One with a provider that is not there is never made.
func TestRealCommandLinesCreateAndWatch(t *testing.T) {
	for _, version := range realVersions() {
		t.Run(version, func(t *testing.T) {
			cli := realCLI(t, version)
			var asked calls
			backend, records := provisioning{gateway.NewMemory()}, gateway.NewRecords(gateway.Provider{ID: gateway.NewID(), Name: "github", Type: "github"})
			home := configHome(t, serveGateway(t, &gateway.Server{Version: version, Backend: backend, Records: records, Calls: asked.add}))
			env := []string{"HOME=/nonexistent", "XDG_CONFIG_HOME=" + home, "LANG=C.UTF-8", "NO_GRAPHICS=1", "PATH=/usr/bin:/bin"}
			p := run(t, env, cli, "sandbox", "create", "--name", "beta", "--from", "img:1", "--provider", "github", "--no-tty", "--", "true")
			made, err := backend.List(t.Context())
			if err != nil || len(made) != 1 || made[0].Name != "beta" || !slices.Contains(asked.since(), "CreateSshSession") {
				t.Errorf("made %+v, %v; asked for %v: exit %d\n%s%s", made, err, asked.since(), p.exit, p.stdout, p.stderr)
			}
			records.RemoveProvider("github")
			p = run(t, env, cli, "sandbox", "create", "--name", "gamma", "--from", "img:1", "--provider", "github", "--no-tty", "--", "true")
			if made, _ := backend.List(t.Context()); p.exit != 1 || len(made) != 1 || !strings.Contains(p.stderr, "github") {
				t.Errorf("without the provider: made %+v, exit %d\n%s%s", made, p.exit, p.stdout, p.stderr)
			}
		})
	}
}
