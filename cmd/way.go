package cmd

import (
	"strings"

	"sandkeeper/backup"
	"sandkeeper/backup/archive"
)

// What --way takes.
const (
	wayAuto   = "auto"
	wayEngine = "engine"
)

func checkWay(way string) error {
	if way != "" && way != wayAuto && way != wayEngine {
		return usage("give auto or engine", "--way %q is neither", way)
	}
	return nil
}

// renderWays says of which sandboxes a way was taken that may not carry everything.
func renderWays(a *app, s backup.Summary) {
	names := map[archive.Way][]string{}
	for _, o := range s.Sandboxes {
		if o.Backup != nil && o.Backup.Way.Lacks() != "" {
			names[o.Backup.Way] = append(names[o.Backup.Way], o.Address())
		}
	}
	for _, way := range []archive.Way{archive.WayEngine, archive.WayGateway} {
		if len(names[way]) > 0 {
			a.printf("read through the %s, which may leave out %s: %s", way, way.Lacks(), strings.Join(names[way], ", "))
		}
	}
}
