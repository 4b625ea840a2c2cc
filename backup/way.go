package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
)

// errEngineWay is the operator's own wish.
var errEngineWay = errors.New("the engine's way was asked for")

// way is by which way a home is read, and why not by the direct one.
type way struct {
	taken  archive.Way
	reason string
}

// direct opens the home in the file system; nil when it has to be read in another way, which r.way then explains.
func (r *reading) direct(ctx context.Context) *home.DirectHome {
	h, ofContainer := r.home.(home.ContainerHome)
	if !ofContainer {
		r.way = way{taken: archive.WayGateway}
		return nil
	}
	err := r.indirect
	if err == nil {
		var opened *home.DirectHome
		if opened, err = h.Direct(ctx); err == nil {
			r.way = way{taken: archive.WayDirect}
			return opened
		}
	}

	r.way = way{archive.WayEngine, strings.TrimPrefix(err.Error(), home.ErrNotDirect.Error()+": ")}
	return nil
}

func (w way) note(a *archive.Archive, m *archive.Manifest) {
	if m.ContentOf == "" {
		a.TakenBy(m, w.taken, w.reason)
	}
}

// better reports whether a read on this way keeps more than the previous backup does.
func (w way) better(previous *archive.Manifest) bool {
	return w.taken == archive.WayDirect && previous != nil && previous.Way != archive.WayDirect
}

func changedWarnings(names []string) []string {
	var warnings []string
	for _, name := range names {
		warnings = append(warnings, fmt.Sprintf("%q changed while it was read", name))
	}
	return warnings
}
