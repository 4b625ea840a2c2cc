package engine

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/storage"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/dockertest"
)

// inspectedWith is what an engine tells of a container that keeps its layer in /l, with something changed.
func inspectedWith(change func(*container.InspectResponse)) container.InspectResponse {
	answer := container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{
		ID: "c1", Image: "sha256:1", HostConfig: &container.HostConfig{Runtime: "runc", Tmpfs: map[string]string{"/sandbox/tmp": ""}},
		GraphDriver: storage.DriverData{Name: "overlay2", Data: map[string]string{"UpperDir": "/l", "MergedDir": "/m", "LowerDir": "/i-init:/i"}},
	}, Mounts: []container.MountPoint{{Destination: "/sandbox/cache"}}}
	change(&answer)
	return answer
}

func TestLayerIsWhereTheEngineKeepsIt(t *testing.T) {
	got, err := layerOf(inspectedWith(func(*container.InspectResponse) {}))
	want := Layer{Container: "c1", ImageID: "sha256:1", Dir: "/l", Lower: []string{"/i-init", "/i"}, Mounts: []string{"/sandbox/cache", "/sandbox/tmp"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestLayerIsUnknownWhereItsFilesProveNothing: storage of another kind, and runtimes that write to the layer later, or never.
func TestLayerIsUnknownWhereItsFilesProveNothing(t *testing.T) {
	for name, change := range map[string]func(*container.InspectResponse){
		"podman, maybe over FUSE":     func(r *container.InspectResponse) { r.GraphDriver.Name = "overlay" },
		"fuse-overlayfs":              func(r *container.InspectResponse) { r.GraphDriver.Name = "fuse-overlayfs" },
		"btrfs subvolumes":            func(r *container.InspectResponse) { r.GraphDriver.Name = "btrfs" },
		"containerd's own store":      func(r *container.InspectResponse) { r.GraphDriver = storage.DriverData{} },
		"no folder named":             func(r *container.InspectResponse) { r.GraphDriver.Data = nil },
		"gVisor":                      func(r *container.InspectResponse) { r.HostConfig.Runtime = "runsc" },
		"Kata":                        func(r *container.InspectResponse) { r.HostConfig.Runtime = "io.containerd.kata.v2" },
		"an engine that tells little": func(r *container.InspectResponse) { r.HostConfig = nil },
	} {
		if layer, err := layerOf(inspectedWith(change)); err == nil {
			t.Errorf("%s: %+v", name, layer)
		}
	}
}

func TestLayerOfAnotherHostIsUnknown(t *testing.T) {
	daemon := dockertest.Start(t)
	engine := dial(t, daemon)
	engine.host = "tcp://10.0.0.1:2376"
	layer, err := engine.Layer(t.Context(), daemon.Add(dockertest.Container{Name: "c"}))
	if err == nil || err.Error() != "tcp://10.0.0.1:2376 may be another host" {
		t.Errorf("%+v, %v", layer, err)
	}
}
