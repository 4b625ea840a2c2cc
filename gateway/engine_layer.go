package gateway

import (
	"context"
	"fmt"
	"strings"
)

// Layer is the writable layer of a container of the overlay storage drivers, as a folder of this host: all that the container has
// changed of its image (https://docs.kernel.org/filesystems/overlayfs.html).
type Layer struct {
	Container string // full id
	ImageID   string
	Dir       string   // the upper folder
	Lower     []string // the folders of what lies under it, the topmost first
	Mounts    []string // where in the container something else lies over both
}

// Layer says where the writable layer of a container lies. An error only means that it cannot be known: the engine is another host's,
// or stores its containers in another way. Whether this process may look into Dir is not said.
func (e *Engine) Layer(ctx context.Context, id string) (Layer, error) {
	if !strings.HasPrefix(e.host, "unix://") {
		return Layer{}, fmt.Errorf("%s may be another host", e.host)
	}
	inspected, err := e.inspect(ctx, id)
	if err != nil {
		return Layer{}, err
	}
	driver := inspected.GraphDriver
	dir := driver.Data["UpperDir"]
	if driver.Name != "overlay2" && driver.Name != "overlay" || dir == "" {
		return Layer{}, fmt.Errorf("the storage driver %q does not keep it in a folder", driver.Name)
	}
	l := Layer{Container: inspected.ID, ImageID: inspected.Image, Dir: dir, Lower: strings.FieldsFunc(driver.Data["LowerDir"], func(r rune) bool { return r == ':' })}
	for _, m := range inspected.Mounts {
		l.Mounts = append(l.Mounts, m.Destination)
	}
	if inspected.HostConfig != nil {
		for target := range inspected.HostConfig.Tmpfs {
			l.Mounts = append(l.Mounts, target)
		}
	}
	return l, nil
}
