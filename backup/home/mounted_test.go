package home

import (
	"archive/tar"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
)

// TestMountedAt: where a mount lies is where the links on the way to it lead.
func TestMountedAt(t *testing.T) {
	e := &backuptest.FakeEngine{Files: map[string]map[string]backuptest.Entry{"c": {
		"sandbox": {Kind: tar.TypeDir}, "var": {Kind: tar.TypeDir}, "run": {Kind: tar.TypeDir},
		"var/run": {Kind: tar.TypeSymlink, Link: "../run"}, "alias": {Kind: tar.TypeSymlink, Link: "/var/home"},
		"var/home": {Kind: tar.TypeSymlink, Link: "/sandbox"}, "loop": {Kind: tar.TypeSymlink, Link: "loop"},
	}}}
	h := ContainerHome{Engine: e, ID: "c", Dir: "/sandbox"}
	for target, want := range map[string]string{
		"/": "/", "/sandbox": "/sandbox", "/sandbox/data/": "/sandbox/data", "/missing/a/b": "/missing/a/b", "/var/run/secrets": "/run/secrets",
		"/alias": "/sandbox", "/alias/data": "/sandbox/data", "/loop/x": "",
	} {
		got, err := h.mountedAt(t.Context(), target)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s lies at %q, %v, want %q", target, got, err, want)
		}
	}
	if err := h.Unmounted(t.Context(), []string{"/var/run/secrets", "/alias/data"}); err == nil || !strings.Contains(err.Error(), "/sandbox/data") {
		t.Errorf("got %v, want the mount in the home named", err)
	}
	if err := h.Unmounted(t.Context(), []string{"/var/run/secrets", "/sandboxes"}); err != nil {
		t.Errorf("nothing is mounted over the home, got %v", err)
	}
	mounts, err := h.Located(t.Context(), []engine.Mount{{Source: "/host", Destination: "/alias/data"}})
	if diff := cmp.Diff([]engine.Mount{{Source: "/host", Destination: "/sandbox/data"}}, mounts); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
