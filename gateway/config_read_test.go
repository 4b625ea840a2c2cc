package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/drift"
)

// TestConfigIsReadAsItsGatewayWould reads the file, and hears the program that would be started next.
func TestConfigIsReadAsItsGatewayWould(t *testing.T) {
	const v2 = "[openshell]\nversion = 2\n"
	https, http := "https://127.0.0.1:17670", "http://127.0.0.1:17670"
	next := "test \"$1 $2 $3\" = 'config preflight --path' || exit 2; grep -q 'version = 2' \"$4\" || { echo missing_version >&2; exit 1; }"
	for name, test := range map[string]struct {
		file, next, version, endpoint string
		variable                      string
		want                          Config
		why                           string
	}{
		"version 2":             {v2, next, "0.1.9", https, "", Config{State: drift.Known, Version: 2, Asked: true}, ""},
		"version 1":             {"[openshell]\nversion = 1\n", next, "0.1.9", https, "", Config{State: drift.Known, Version: 1, Asked: true, Refused: `"missing_version"`}, ""},
		"a gateway of 0.0.x":    {v2, "touch asked", "0.0.116", https, "", Config{State: drift.Known, Version: 2}, ""},
		"no such subcommand":    {v2, "exit 2", "0.1.9", https, "", Config{State: drift.Known, Version: 2}, ""},
		"none":                  {"", next, "0.1.9", https, "", Config{State: drift.Absent}, "no file"},
		"no TOML":               {"version", next, "0.1.9", https, "", Config{State: drift.Unknown, Asked: true, Refused: `"missing_version"`}, "cannot be read"},
		"open by its endpoint":  {v2, next, "0.1.9", http, "", Config{State: drift.Known, Version: 2, Open: true, Asked: true}, ""},
		"open without a file":   {"", next, "0.1.9", http, "", Config{State: drift.Absent, Open: true}, "no file"},
		"open by its file":      {v2 + "[openshell.gateway]\ndisable_tls = true\n", next, "0.1.9", https, "", Config{State: drift.Known, Version: 2, Open: true, Asked: true}, ""},
		"open, and meant so":    {v2 + "[openshell.gateway.auth]\nallow_unauthenticated_users = true\n", next, "0.1.9", http, "", Config{State: drift.Known, Version: 2, Asked: true}, ""},
		"OIDC in the file":      {v2 + "[openshell.gateway.oidc]\nissuer = 'x'\n", next, "0.1.9", http, "", Config{State: drift.Known, Version: 2, Asked: true}, ""},
		"OIDC in the unit's":    {v2, next, "0.1.9", http, "OPENSHELL_OIDC_ISSUER=x", Config{State: drift.Known, Version: 2, Asked: true}, ""},
		"tokens of the gateway": {v2 + "[openshell.gateway.gateway_jwt]\nttl_secs = 60\n", next, "0.1.9", http, "", Config{State: drift.Known, Version: 2, Asked: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, home, _ := serviceHost(t)
			path := filepath.Join(home, ".config/openshell/gateway.toml")
			if test.file != "" {
				lay(t, path, test.file)
			}
			lay(t, home+"/.config/systemd/user/"+unitName, "[Service]\nExecStart=/usr/bin/openshell-gateway\nEnvironment="+test.variable+"\n")
			program := filepath.Join(home, "next", gatewayProgram)
			script(t, program, test.next)
			version, _ := drift.Parse(test.version)
			got := ReadConfig(t.Context(), o, Target{Name: "openshell", Port: OpenShellPort, Endpoint: test.endpoint},
				drift.File{Path: program, Evidence: drift.Evidence{State: drift.Known, Version: version}})
			if !strings.Contains(got.Why, test.why) {
				t.Errorf("why: %q, want %q", got.Why, test.why)
			}
			if got.Path != path {
				t.Errorf("it is %s", got.Path)
			}
			if got.Why, got.Path = "", ""; got != test.want {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestConfigAsksNobodyUntrusted: what others could have written is not run, and nothing of this host is a gateway's of another host.
func TestConfigAsksNobodyUntrusted(t *testing.T) {
	o, home, _ := serviceHost(t)
	lay(t, home+"/.config/openshell/gateway.toml", "[openshell]\nversion = 2\n")
	program := filepath.Join(home, "next", gatewayProgram)
	script(t, program, "exit 1")
	version, _ := drift.Parse("0.1.9")
	next := drift.File{Path: program, Evidence: drift.Evidence{State: drift.Known, Version: version}}
	if err := os.Chmod(program, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := ReadConfig(t.Context(), o, Target{Name: "openshell", Port: OpenShellPort}, next); got.Asked || got.Version != 2 {
		t.Errorf("got %+v", got)
	}
	if got := ReadConfig(t.Context(), o, Target{Name: "openshell", Port: OpenShellPort, Remote: true}, next); got.State != drift.Absent || got.Path != "" {
		t.Errorf("of another host: %+v", got)
	}
}
