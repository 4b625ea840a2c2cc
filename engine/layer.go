package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
)

// Layer is the writable layer of a container of Docker's overlay2 storage driver, as a folder of this host: all that
// the container has changed of its image (https://docs.kernel.org/filesystems/overlayfs.html).
type Layer struct {
	Container string // full id
	ImageID   string
	Dir       string   // the upper folder
	Lower     []string // the folders of what lies under it, the topmost first
	Mounts    []string // where in the container something else lies over both
}

// Layer says where the writable layer of a container lies. An error only means that it cannot be known: the engine is
// another host's, or stores its containers in another way. Whether this process may look into Dir is not said.
func (e *Engine) Layer(ctx context.Context, id string) (Layer, error) {
	if !strings.HasPrefix(e.host, "unix://") {
		return Layer{}, fmt.Errorf("%s may be another host", e.host)
	}
	inspected, err := e.inspect(ctx, id)
	if err != nil {
		return Layer{}, err
	}
	return layerOf(inspected)
}

func layerOf(inspected container.InspectResponse) (Layer, error) {
	host := inspected.HostConfig
	dir := inspected.GraphDriver.Data["UpperDir"]
	switch {
	case inspected.GraphDriver.Name != "overlay2" || dir == "":
		return Layer{}, fmt.Errorf("the storage driver %q is not known to keep it in a folder", inspected.GraphDriver.Name)
	case host == nil:
		return Layer{}, errors.New("the engine does not say how the container runs")
	case !writesThrough(host.Runtime):
		return Layer{}, fmt.Errorf("the runtime %q may keep what is written for itself", host.Runtime)
	}

	l := Layer{Container: inspected.ID, ImageID: inspected.Image, Dir: dir}
	if lower := inspected.GraphDriver.Data["LowerDir"]; lower != "" {
		l.Lower = strings.Split(lower, ":")
	}
	for _, m := range inspected.Mounts {
		l.Mounts = append(l.Mounts, m.Destination)
	}
	l.Mounts = slices.AppendSeq(l.Mounts, maps.Keys(host.Tmpfs))
	slices.Sort(l.Mounts)
	return l, nil
}

// writesThrough knows the runtimes whose processes write with this host's kernel to the layer itself. Those with a
// kernel or a file system of their own (gVisor, Kata; also fuse-overlayfs, which Podman calls "overlay") write to it
// later, or never.
func writesThrough(runtime string) bool {
	return slices.Contains([]string{"", "runc", "io.containerd.runc.v2", "crun", "nvidia"}, runtime)
}
