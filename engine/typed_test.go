package engine

import "testing"

// TestProgramIsTheEnginesOwn: a hint with docker helps nobody whose containers are Podman's, nor does another user's Podman.
func TestProgramIsTheEnginesOwn(t *testing.T) {
	const rootless = "unix:///run/user/1000/podman/podman.sock"
	for _, tt := range []struct{ name, got, want string }{
		{"Docker", Program("docker ID /var/lib/docker", "unix:///var/run/docker.sock"), "docker"},
		{"nothing is known", Program("", ""), "docker"},
		{"Podman by its identity", Program("podman machine /var/lib/containers 0", "unix:///run/podman.d/api"), "podman --remote --url unix:///run/podman.d/api"},
		{"Podman by its socket", Program("", rootless), "podman --remote --url " + rootless},
		{"a container of Podman's driver", Container{Podman: true}.Program(), "podman"},
		{"a container on Podman's socket", Container{Host: rootless}.Program(), "podman --remote --url " + rootless},
		{"a container of Docker", Container{Host: "unix:///run/docker.sock"}.Program(), "docker"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}
