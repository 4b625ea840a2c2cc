package private

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// afar are the file systems whose content is on other hosts, is passed on by a program, or has no owners (statfs(2),
// linux/magic.h).
func afar(kind int64) string {
	switch kind {
	case 0x6969:
		return "NFS"
	case 0x517b, 0xfe534d42, 0xff534d42:
		return "SMB"
	case 0x65735546:
		return "FUSE"
	case 0x00c36400:
		return "Ceph"
	case 0x01021997:
		return "9P"
	case 0x5346414f, 0x6b414653:
		return "AFS"
	case 0x73757245:
		return "Coda"
	case 0x0bd00bd0:
		return "Lustre"
	case 0x01161970, 0x7461636f:
		return "a cluster"
	case 0x4d44, 0x2011bab0, 0x5346544e, 0x7366746e:
		return "a kind without owners (FAT, exFAT or NTFS)"
	}
	return ""
}

// local gives an error when the file system at path is not of this host, or can be carried away.
func local(path string) error {
	var system unix.Statfs_t
	if err := unix.Statfs(path, &system); err != nil {
		return fmt.Errorf("the file system of %s: %w", path, err)
	}
	if kind := afar(int64(uint32(system.Type))); kind != "" {
		return fmt.Errorf("%s is on a file system of %s", path, kind)
	}
	var at unix.Stat_t
	if err := unix.Stat(path, &at); err != nil {
		return fmt.Errorf("the disk of %s: %w", path, err)
	}
	device, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(at.Dev), unix.Minor(at.Dev)))
	if err == nil && strings.Contains(device, "/usb") {
		return fmt.Errorf("%s is on a disk that is attached by USB", path)
	}
	return nil
}
