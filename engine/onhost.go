package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/volume"
)

// OnHost is what an engine says of where a container and its files are on this host. It is a claim: whether the process
// is the container's and the folders are its layers is for who uses them to prove.
type OnHost struct {
	Container string // full id
	Created   time.Time
	Pid       int      // of its first process; 0 while none runs
	Driver    string   // "overlay2" and "overlayfs" (with containerd's image store) of Docker, "overlay" of Podman
	Upper     string   // the writable layer; "" where the engine does not say (containerd's image store)
	Lower     []string // the folders of what lies under it, the topmost first
	Mounts    []Mount  // what else the container has of the host
	// RuntimeUntold: the engine does not name the runtime (Podman). That it writes with this host's kernel is seen of a
	// process that runs.
	RuntimeUntold bool
	ReadOnly      bool // its root file system cannot be written
}

// runtimeUntold is what Podman says of every container, whatever its runtime.
const runtimeUntold = "oci"

// OnHost asks where a container is on this host. An error only means that it cannot be known: the engine is another
// host's, keeps its containers in another way, or runs this one with a kernel of its own.
func (e *Engine) OnHost(ctx context.Context, id string) (OnHost, error) {
	if !strings.HasPrefix(e.host, "unix://") {
		return OnHost{}, fmt.Errorf("%s may be another host", e.host)
	}
	inspected, err := e.inspect(ctx, id)
	if err != nil {
		return OnHost{}, err
	}
	driver, host := inspected.GraphDriver.Name, inspected.HostConfig
	switch {
	case driver != "overlay2" && driver != "overlayfs" && driver != "overlay":
		return OnHost{}, fmt.Errorf("the storage driver is %q", driver)
	case host == nil || inspected.State == nil:
		return OnHost{}, fmt.Errorf("the engine does not say how container %q runs", id)
	case !writesThrough(host.Runtime) && host.Runtime != runtimeUntold:
		return OnHost{}, fmt.Errorf("the runtime %q may keep what is written for itself", host.Runtime)
	}

	c := fromInspect(inspected)
	found := OnHost{
		Container: inspected.ID, Created: c.Created, Driver: driver, Upper: inspected.GraphDriver.Data["UpperDir"], Mounts: c.Mounts,
		ReadOnly: host.ReadonlyRootfs, RuntimeUntold: host.Runtime == runtimeUntold,
	}
	if inspected.State.Running || inspected.State.Paused {
		found.Pid = inspected.State.Pid
	}
	if lower := inspected.GraphDriver.Data["LowerDir"]; lower != "" {
		found.Lower = strings.Split(lower, ":")
	}
	return found, e.plain(ctx, found.Mounts)
}

// plain marks the volumes that are folders of this host. Those with options, and those of other drivers, are mounted
// when a container starts.
func (e *Engine) plain(ctx context.Context, mounts []Mount) error {
	for i, m := range mounts {
		if m.Type != "volume" {
			continue
		}
		v, err := e.volume(ctx, m.Name)
		if err != nil {
			return fmt.Errorf("looking at volume %q: %w", m.Name, err)
		}
		mounts[i].Plain = v.Driver == "local" && len(v.Options) == 0 && v.Mountpoint == m.Source
	}
	return nil
}

func (e *Engine) volume(ctx context.Context, name string) (volume.Volume, error) {
	ctx, cancel := e.limited(ctx)
	defer cancel()
	found, err := e.client.VolumeInspect(ctx, name)
	return found, e.explain(ctx, err)
}
