package gateway

import "testing"

// A credential, under whatever name, keeps a command line from being recorded; the path of a file with one does not.
func TestALaunchHoldsNoCredential(t *testing.T) {
	for name, test := range map[string]struct {
		launch Launch
		want   bool
	}{
		"nothing":                        {Launch{Args: []string{"--port", "17670", "--log-level", "info"}, Env: []string{"OPENSHELL_LOG=debug"}}, false},
		"a path":                         {Launch{Args: []string{"--tls-key", "/etc/openshell/tls.key"}, Env: []string{"OPENSHELL_TLS_KEY=/etc/tls.key"}}, false},
		"a flag and its value":           {Launch{Args: []string{"--ssh-handshake-secret", "hunter2"}}, true},
		"a flag with its value":          {Launch{Args: []string{"--edge-token=hunter2"}}, true},
		"a variable":                     {Launch{Env: []string{"OPENSHELL_OIDC_CLIENT_SECRET=hunter2"}}, true},
		"a password in an address":       {Launch{Args: []string{"--db-url", "postgres://gw:hunter2@db/openshell"}}, true},
		"one in an address's variable":   {Launch{Env: []string{"OPENSHELL_DB_URL=postgres://gw:hunter2@db/openshell"}}, true},
		"an address without a password":  {Launch{Args: []string{"--db-url", "sqlite:/var/lib/openshell.db"}}, false},
		"a switch at the end, no value":  {Launch{Args: []string{"--disable-gateway-key"}}, false},
		"a key's name without its value": {Launch{Args: []string{"--key-file", "/k"}, Env: []string{"OPENSHELL_EDGE_TOKEN="}}, false},
	} {
		if got := test.launch.secret(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestLaunchEnv(t *testing.T) {
	got := launchEnv([]string{"PATH=/bin", "OPENSHELL_LOG=debug", "XDG_STATE_HOME=/s", "XDG_SESSION_ID=4", "HOME=/root", "NOT_OPENSHELL_X=1"})
	if len(got) != 2 || got[0] != "OPENSHELL_LOG=debug" || got[1] != "XDG_STATE_HOME=/s" {
		t.Errorf("%q", got)
	}
}
