package e2e

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"
)

// TestRemovedExtensionLeavesTheContainer upgrades with both built-in extensions, takes them out of the configuration one after the other,
// and upgrades again each time: what one had added, its mount above all, is on no container any more, and what the recipe has is.
func TestRemovedExtensionLeavesTheContainer(t *testing.T) {
	t.Parallel()
	h := newRecipeHost(t, "0.0.110")
	for _, step := range []struct {
		active []string
		mounts []string
		labels map[string]string
	}{
		{[]string{"fleet-labels", "workload-identity"}, []string{"/data", tokenTarget}, map[string]string{"fleet": "prod", "region": "us-west"}},
		{[]string{"fleet-labels"}, []string{"/data"}, map[string]string{"fleet": "prod", "region": "us-west"}},
		{[]string{}, []string{"/data"}, map[string]string{}},
	} {
		h.activate(step.active...)
		replaced := h.newID
		h.newID = h.build("with " + t.Name() + " and " + string(rune('a'+len(step.active))))
		h.outcome(h.upgrade(), 0, "upgraded")
		if _, err := h.engine.client.ImageRemove(t.Context(), replaced, image.RemoveOptions{Force: true}); err != nil {
			t.Errorf("image %s is left behind: %v", replaced, err)
		}
		c, err := h.engine.client.ContainerInspect(t.Context(), h.only().ID)
		if err != nil {
			t.Fatal(err)
		}
		mounted := map[string]bool{}
		for _, m := range c.Mounts {
			if !strings.HasPrefix(m.Destination, "/opt/openshell/") && !strings.HasPrefix(m.Destination, "/etc/openshell/") {
				mounted[m.Destination] = true
			}
		}
		want := map[string]bool{}
		for _, target := range step.mounts {
			want[target] = true
		}
		if diff := cmp.Diff(want, mounted); diff != "" {
			t.Errorf("%v: mounts (-want +got):\n%s", step.active, diff)
		}
		labels := map[string]string{}
		for _, name := range []string{"fleet", "region"} {
			if value, there := c.Config.Labels[name]; there {
				labels[name] = value
			}
		}
		if diff := cmp.Diff(step.labels, labels); diff != "" {
			t.Errorf("%v: labels (-want +got):\n%s", step.active, diff)
		}
		h.shows(h.version)
		t.Logf("%v: mounts %v, labels %v", step.active, mounted, labels)
	}
}
