package engine

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// OnHost is what an engine says of where a container and its files are on this host. It is a claim: whether the process is the container's
// and the folders are its layers is for who uses them to prove.
type OnHost struct {
	Container string // full id
	Created   time.Time
	Pid       int      // of its first process; 0 while none runs
	Driver    string   // "overlay2" and "overlayfs" (with containerd's image store) of Docker, "overlay" of Podman
	Upper     string   // the writable layer; "" where the engine does not say (containerd's image store)
	Lower     []string // the folders of what lies under it, the topmost first
	Mounts    []Mount  // what else the container has of the host
	ReadOnly  bool     // its root file system cannot be written
}

// OnHost asks where a container is on this host. An error only means that it cannot be known: the engine is another host's, keeps its
// containers in another way, or runs this one with a kernel of its own.
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
	case !writesThrough(host.Runtime):
		return OnHost{}, fmt.Errorf("the runtime %q may keep what is written for itself", host.Runtime)
	}
	c := fromInspect(inspected)
	found := OnHost{
		Container: inspected.ID, Created: c.Created, Driver: driver, Upper: inspected.GraphDriver.Data["UpperDir"], Mounts: c.Mounts,
		ReadOnly: host.ReadonlyRootfs,
	}
	if inspected.State.Running || inspected.State.Paused {
		found.Pid = inspected.State.Pid
	}
	if lower := inspected.GraphDriver.Data["LowerDir"]; lower != "" {
		found.Lower = strings.Split(lower, ":")
	}
	for target := range host.Tmpfs {
		found.Mounts = append(found.Mounts, Mount{Type: "tmpfs", Destination: target})
	}
	return found, nil
}
