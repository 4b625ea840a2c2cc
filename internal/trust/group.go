package trust

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// privateGroup reports whether the file's group is its owner's own: distributions that give every user a group of that
// name and number also make new files writable by it (umask 002). Root's group is not taken for one.
func privateGroup(stat *syscall.Stat_t) bool {
	if stat.Uid == 0 || stat.Gid != stat.Uid {
		return false
	}
	groups, err := os.ReadFile("/etc/group")
	return err == nil && onlyMember(string(groups), int(stat.Gid))
}

// onlyMember reads /etc/group: the group exists and lists nobody but, perhaps, the user it is named after.
func onlyMember(groups string, gid int) bool {
	for line := range strings.Lines(groups) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) == 4 && fields[2] == strconv.Itoa(gid) {
			return fields[3] == "" || fields[3] == fields[0]
		}
	}
	return false
}
