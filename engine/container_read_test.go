package engine

import (
	"testing"

	"github.com/docker/docker/api/types/container"
)

// TestInspectionSaysWhatAStopWouldRemove: a container that was made with --rm is gone, with all that is in it, when it stops.
func TestInspectionSaysWhatAStopWouldRemove(t *testing.T) {
	for _, host := range []*container.HostConfig{nil, {}, {AutoRemove: true}} {
		seen := fromInspect(container.InspectResponse{
			ContainerJSONBase: &container.ContainerJSONBase{Name: "/alpha", State: &container.State{Status: "running"}, HostConfig: host},
			Config:            &container.Config{},
		})
		if want := host != nil && host.AutoRemove; seen.AutoRemove != want || !seen.Running() {
			t.Errorf("%+v: %+v, want AutoRemove %v", host, seen, want)
		}
	}
}
