package home

import (
	"path"
	"strings"

	"sandkeeper/internal/pattern"
)

// unreadEntry is one entry that tar in the sandbox could not read.
type unreadEntry struct{ name, reason string }

// tarReport is what tar said on standard error, sorted by what it means for the backup.
type tarReport struct {
	unread  []unreadEntry
	changed []string // read, but written to meanwhile
	other   []string // lines that name no entry
}

// The wordings of GNU tar ("tar: ./a: Cannot open: Permission denied") and of busybox ("tar: can't open './a':
// Permission denied").
var (
	gnuTar     = pattern.Of(`^(?:\S*/)?tar: (.+?): (Cannot (?:open|stat|read|readlink|opendir|access|savedir|seek|change)[^:]*|Read error[^:]*|File removed before we read it|File shrank by [0-9]+ bytes.*|Warning: Cannot [^:]*)(?:: (.*))?$`)
	gnuChanged = pattern.Of(`^(?:\S*/)?tar: (.+?): file changed as we read it$`)
	gnuSocket  = pattern.Of(`^(?:\S*/)?tar: (.+?): socket ignored$`)
	boxTar     = pattern.Of(`^(?:\S*/)?tar: (?:can't open|can't stat|can't read|can't readlink|read error|short read) ?(?:'(.+)'|(\./.+?)): (.*)$`)
	tarClosing = pattern.Of(`(?i)^(?:\S*/)?tar: (?:Exiting with failure status due to previous errors|error exit delayed from previous errors|Removing leading .*)$`)
)

// readTarComplaints sorts tar's standard error. Names are tar's own rendering of them: odd bytes come escaped.
func readTarComplaints(stderr string) tarReport {
	var report tarReport
	for line := range strings.Lines(stderr) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "" || tarClosing().MatchString(line):
		case gnuChanged().MatchString(line):
			report.changed = append(report.changed, tarName(gnuChanged().FindStringSubmatch(line)[1]))
		case gnuSocket().MatchString(line):
			report.unread = append(report.unread, unreadEntry{tarName(gnuSocket().FindStringSubmatch(line)[1]), "a socket"})
		case gnuTar().MatchString(line):
			m := gnuTar().FindStringSubmatch(line)
			report.unread = append(report.unread, unreadEntry{tarName(m[1]), reason(m[2], m[3])})
		case boxTar().MatchString(line):
			m := boxTar().FindStringSubmatch(line)
			report.unread = append(report.unread, unreadEntry{tarName(m[1] + m[2]), reason("cannot be read", m[3])})
		default:
			report.other = append(report.other, line)
		}
	}
	return report
}

func tarName(name string) string { return path.Clean(strings.TrimPrefix(name, "./")) }

func reason(what, why string) string {
	what = strings.ToLower(what)
	if why == "" {
		return what
	}
	return what + ": " + strings.ToLower(why)
}
