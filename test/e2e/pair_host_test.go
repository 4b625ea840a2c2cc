package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin"
)

// pairVersion is a version whose sandboxes are pairs of containers: that of the real Python client.
const pairVersion = "0.1.5"

// newPairHost is a trueHost of 0.1.x. No command line of that generation is published where tests can fetch it; the real Python client
// speaks to it, and sandkeeper over gRPC.
func newPairHost(t *testing.T, options ...func(*gateway.Docker)) *trueHost {
	t.Helper()
	return newHostOf(t, pairVersion, "/nonexistent/openshell", options)
}

// tag is a reference of an image that is this host's own.
func (h *trueHost) tag(name string) string { return "e2e-" + h.driver.Namespace + "/" + name }

// supervisorImage makes the image of companions.
func (h *trueHost) supervisorImage(version string) (reference string) {
	h.t.Helper()
	program, err := standin.Programs{Dir: os.Getenv(programs)}.InSandbox(version)
	h.must(err)
	reference = h.tag("supervisor:" + version)
	id := h.engine.buildWith(reference, []string{`ENTRYPOINT ["/openshell-supervisor"]`}, entry{name: "openshell-supervisor", mode: 0o755, content: program})
	h.images = append(h.images, id)
	return reference
}

// of are the containers of a sandbox by their role.
func (h *trueHost) of(s gateway.Sandbox) map[string]container.InspectResponse {
	h.t.Helper()
	all := map[string]container.InspectResponse{}
	for _, c := range h.containers(s.ID) {
		seen, err := h.engine.client.ContainerInspect(context.Background(), c.ID)
		h.must(err)
		all[c.Labels["openshell.ai/isolation-role"]] = seen
	}
	return all
}

// volumes are the names of the volumes that carry a sandbox's id.
func (h *trueHost) volumes(id string) (names []string) {
	h.t.Helper()
	found, err := h.engine.client.VolumeList(context.Background(), volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "openshell.ai/sandbox-id="+id))})
	h.must(err)
	for _, v := range found.Volumes {
		names = append(names, v.Name)
	}
	return names
}

// state is the folder in which the host keeps what it needs of a sandbox.
func (h *trueHost) state(s gateway.Sandbox) string {
	return filepath.Join(h.home, ".local/state/openshell/docker-sandbox-tokens", h.driver.Namespace, s.ID)
}
