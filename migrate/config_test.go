package migrate

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

func TestProposeConfig(t *testing.T) {
	for name, c := range map[string]struct {
		old, want string
		manual    []string
	}{
		"the recorded host's": {
			old:  "[openshell]\nversion = 1\n[openshell.drivers.docker]\nsupervisor_image = \"ghcr.io/nvidia/openshell/supervisor:0.0.110\"\n",
			want: "[openshell]\nversion = 2\n",
		},
		"everything of docker": {
			old: `[openshell]
version = 1
[openshell.gateway]
bind_address = "127.0.0.1:17670"
compute_drivers = ["docker"]
default_image = "img:1"
guest_tls_ca = "/ca"
guest_tls_cert = "/cert"
guest_tls_key = "/key"
[openshell.gateway.gateway_jwt]
ttl_secs = 0
kid_path = "/kid"
[openshell.drivers.docker]
default_image = "img:2"
sandbox_namespace = "lab"
image_pull_policy = "IfNotPresent"
sandbox_pids_limit = 0
supervisor_bin = "/opt/openshell-sandbox"
grpc_endpoint = "https://host.openshell.internal:17670"
enable_bind_mounts = true
`,
			want: `[openshell]
version = 2
[openshell.gateway]
bind_address = "127.0.0.1:17670"
compute_driver = "docker"
guest_tls_ca = "/ca"
[openshell.gateway.gateway_jwt]
kid_path = "/kid"
[openshell.drivers.docker]
default_image = "img:2"
sandbox_label = "lab"
image_pull_policy = "if_not_present"
enable_bind_mounts = true
`,
		},
		"a shared option goes to the only driver": {
			old:  "[openshell.gateway]\nsupervisor_image = \"mirror/supervisor:dev\"\n[openshell.drivers.podman]\nsandbox_ssh_socket_path = \"/s\"\n",
			want: "[openshell]\nversion = 2\n[openshell.drivers.podman]\nssh_socket_path = \"/s\"\nsupervisor_image = \"mirror/supervisor:dev\"\n",
		},
		"several drivers": {
			old:    "[openshell.gateway]\ncompute_drivers = [\"docker\", \"vm\"]\ndefault_image = \"img:1\"\n[openshell.drivers.vm]\nopenshell_endpoint = \"http://x\"\n",
			want:   "[openshell]\nversion = 2\n",
			manual: []string{"version 2 takes one", "default_image stood in"},
		},
		"nobody authenticates": {
			old: "[openshell]\nversion = 1\n[openshell.gateway]\ndisable_tls = true\n", want: "[openshell]\nversion = 2\n[openshell.gateway]\ndisable_tls = true\n",
			manual: []string{"nothing authenticates users"},
		},
		"open on purpose": {
			old:  "[openshell.gateway]\ndisable_tls = true\n[openshell.gateway.auth]\nallow_unauthenticated_users = true\n",
			want: "[openshell]\nversion = 2\n[openshell.gateway]\ndisable_tls = true\n[openshell.gateway.auth]\nallow_unauthenticated_users = true\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ProposeConfig([]byte(c.old))
			if err != nil {
				t.Fatal(err)
			}
			var got, want table
			if err := errors.Join(toml.Unmarshal(p.Text, &got), toml.Unmarshal([]byte(c.want), &want)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the proposal (-want +got):\n%s", diff)
			}
			if len(p.Manual) != len(c.manual) {
				t.Errorf("to decide: %q", p.Manual)
			}
			for i, words := range c.manual {
				if i < len(p.Manual) && !strings.Contains(p.Manual[i], words) {
					t.Errorf("%q does not say %q", p.Manual[i], words)
				}
			}
			if !slices.Contains(p.Changes, "version = 2") {
				t.Errorf("changes: %q", p.Changes)
			}
		})
	}
}

func TestProposeConfigOfWhatIsNone(t *testing.T) {
	if _, err := ProposeConfig([]byte("[openshell]\nversion = 2\n")); !errors.Is(err, ErrConfigIsNew) {
		t.Errorf("version 2: %v", err)
	}
	for _, old := range []string{"[openshell]\nversion = 3\n", "[openshell\n"} {
		if _, err := ProposeConfig([]byte(old)); err == nil || errors.Is(err, ErrConfigIsNew) {
			t.Errorf("%q: %v", old, err)
		}
	}
}
