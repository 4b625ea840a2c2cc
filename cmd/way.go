package cmd

import (
	"fmt"
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

// renderWays says once for each way but the direct one who was read on it, and what of them is not as it is in a home.
func renderWays(term *terminal, s backup.Summary) {
	names, inexact := map[archive.Way][]string{}, map[archive.Way][]archive.Inexact{}
	for _, o := range s.Sandboxes {
		if o.Backup != nil {
			way := o.Backup.Way
			names[way], inexact[way] = append(names[way], o.Address()), append(inexact[way], o.Backup.Inexact...)
		}
	}

	for _, way := range []archive.Way{archive.WayEngine, archive.WayGateway} {
		if len(names[way]) > 0 {
			term.printf("read through the %s: %s; %s", way, strings.Join(names[way], ", "), inexactText(way, inexact[way]))
		}
	}
}

// inexactText says what a way did not carry; "" for one that carries everything. Backups of older versions have no
// number.
func inexactText(way archive.Way, inexact []archive.Inexact) string {
	if way != archive.WayEngine && way != archive.WayGateway {
		return ""
	}
	const hidden = "extended attributes, access lists, holes, sockets and paths over 4096 bytes"
	times, counted := 0, false
	for _, i := range inexact {
		if i.Kind == archive.InexactTimes && i.Entries != nil {
			times, counted = times+*i.Entries, true
		}
	}
	if !counted {
		return "fractions of a second, " + hidden + " may not be in it"
	}
	return fmt.Sprintf("%d times of entries came in whole seconds; %s are not shown there, so they are neither kept nor counted", times, hidden)
}
