package backup

import (
	"archive/tar"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/engine"
)

// TestMountedAt: where a mount lies is where the links on the way to it lead.
func TestMountedAt(t *testing.T) {
	e := &fakeEngine{files: map[string]map[string]entry{"c": {
		"sandbox": {kind: tar.TypeDir}, "var": {kind: tar.TypeDir}, "run": {kind: tar.TypeDir},
		"var/run": {kind: tar.TypeSymlink, link: "../run"}, "alias": {kind: tar.TypeSymlink, link: "/var/home"},
		"var/home": {kind: tar.TypeSymlink, link: "/sandbox"}, "loop": {kind: tar.TypeSymlink, link: "loop"},
	}}}
	h := containerHome{engine: e, id: "c", dir: "/sandbox"}
	for target, want := range map[string]string{
		"/": "/", "/sandbox": "/sandbox", "/sandbox/data/": "/sandbox/data", "/missing/a/b": "/missing/a/b", "/var/run/secrets": "/run/secrets",
		"/alias": "/sandbox", "/alias/data": "/sandbox/data", "/loop/x": "",
	} {
		got, err := h.mountedAt(t.Context(), target)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s lies at %q, %v, want %q", target, got, err, want)
		}
	}
	if err := h.unmounted(t.Context(), []string{"/var/run/secrets", "/alias/data"}); err == nil || !strings.Contains(err.Error(), "/sandbox/data") {
		t.Errorf("got %v, want the mount in the home named", err)
	}
	if err := h.unmounted(t.Context(), []string{"/var/run/secrets", "/sandboxes"}); err != nil {
		t.Errorf("nothing is mounted over the home, got %v", err)
	}
	mounts, err := h.located(t.Context(), []engine.Mount{{Source: "/host", Destination: "/alias/data"}})
	if diff := cmp.Diff([]engine.Mount{{Source: "/host", Destination: "/sandbox/data"}}, mounts); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
