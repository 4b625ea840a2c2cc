package cmd

import (
	"strings"

	"github.com/spf13/pflag"

	"sandkeeper/backup"
	"sandkeeper/backup/archive"
)

// What --way takes.
const (
	wayAuto   = "auto"
	wayEngine = "engine"
)

func wayVar(f *pflag.FlagSet, way *string) {
	choiceVar(f, way, "way", []string{wayAuto, wayEngine},
		"how homes are read and written: auto is through the file system where that is possible (root on the engine's host); engine never is")
}

// renderWays says of which sandboxes a way was taken that may not carry everything.
func renderWays(term *terminal, s backup.Summary) {
	names := map[archive.Way][]string{}
	for _, o := range s.Sandboxes {
		if o.Backup != nil && o.Backup.Way.Lacks() != "" {
			names[o.Backup.Way] = append(names[o.Backup.Way], o.Address())
		}
	}

	for _, way := range []archive.Way{archive.WayEngine, archive.WayGateway} {
		if len(names[way]) > 0 {
			term.printf("read through the %s, which may leave out %s: %s", way, way.Lacks(), strings.Join(names[way], ", "))
		}
	}
}
