package home

import (
	"path"
	"slices"
	"strings"
)

// mounted is one line of /proc/PID/mountinfo (proc_pid_mountinfo(5)), as far as it matters here.
type mounted struct {
	target string
	system string // the file system's type
	upper  string // of an overlay: its writable layer
	lower  string // and what lies under it, the topmost first, with ":" between
}

// parseMounts reads a mountinfo. Lines that are none are passed over.
func parseMounts(text string) (found []mounted) {
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 6 || len(right) < 3 {
			continue
		}
		m := mounted{target: unescape(left[4]), system: right[0]}
		for option := range strings.SplitSeq(right[2], ",") {
			if upper, ok := strings.CutPrefix(option, "upperdir="); ok {
				m.upper = unescape(upper)
			}
			if lower, ok := strings.CutPrefix(option, "lowerdir="); ok {
				m.lower = lower
			}
		}

		found = append(found, m)
	}
	return found
}

// upperOfRoot is the writable layer of the overlay that is a process's root; "" when its root is none. The last mount
// over a place counts.
func upperOfRoot(mountinfo string) string {
	for _, m := range slices.Backward(parseMounts(mountinfo)) {
		if m.target == "/" {
			if m.system != "overlay" {
				return ""
			}
			return m.upper
		}
	}
	return ""
}

// layersIn finds the layers of a container in the mountinfo of the host's own namespace, where its engine has mounted
// them at a folder named by the container's whole id (Docker with containerd's image store:
// <data-root>/rootfs/overlayfs/ID, which no process in a container can make look so). upper is "" when they are not
// there, or are named by paths that are not absolute.
func layersIn(mountinfo, id string) (upper string, lower []string) {
	for _, m := range slices.Backward(parseMounts(mountinfo)) {
		if m.system != "overlay" || len(id) != 64 || path.Base(m.target) != id || !path.IsAbs(m.upper) {
			continue
		}
		for folder := range strings.SplitSeq(m.lower, ":") {
			if !path.IsAbs(folder) {
				return "", nil
			}
			lower = append(lower, unescape(folder))
		}
		return m.upper, lower
	}
	return "", nil
}

// unescape undoes what the kernel does to spaces, tabs, line ends and backslashes (and, in options of an overlay, to
// commas and colons).
func unescape(name string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\054`, ",", `\072`, ":").Replace(name)
}
