package dockertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Image is what a commit has kept of a container.
type Image struct {
	ID      string
	Labels  map[string]string
	Workdir string
	Files   []File

	layer string // the id of its lowest layer: another image may be made of it
	top   string // of the layer above that, where there is one
}

// Committed is the image that was committed under a reference or id; found is false when there is none now.
func (d *Daemon) Committed(ref string) (image Image, found bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, id := d.image(ref)
	image, found = d.kept[id]
	image.ID = id
	image.Files = slices.Clone(image.Files)
	return image, found
}

// References are the names of all images.
func (d *Daemon) References() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.images))
}

// committedLabels are the container's labels with the changes `LABEL "key"="value"` applied.
func committedLabels(labels map[string]string, changes []string) map[string]string {
	now := maps.Clone(labels)
	if now == nil {
		now = map[string]string{}
	}
	for _, change := range changes {
		pair, ok := strings.CutPrefix(change, "LABEL ")
		key, value, both := strings.Cut(pair, "=")
		if !ok || !both {
			continue
		}
		var words [2]string
		for i, quoted := range []string{key, value} {
			if _, err := fmt.Sscanf(quoted, "%q", &words[i]); err != nil {
				words[i] = quoted
			}
		}

		now[words[0]] = words[1]
	}
	return now
}
