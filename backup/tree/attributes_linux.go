package tree

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"sandkeeper/backup/archive"
)

// The largest list of names, and the largest value, that Linux has (XATTR_LIST_MAX, XATTR_SIZE_MAX of linux/limits.h).
const attributeLimit = 64 << 10

// attributesLimit is how many bytes of attributes one entry may have: tar's readers take no records over a megabyte.
const attributesLimit = 900 << 10

// attributeReader reads extended attributes, with buffers that serve every entry.
type attributeReader struct{ names, value []byte }

func newAttributeReader() *attributeReader {
	return &attributeReader{names: make([]byte, attributeLimit), value: make([]byte, attributeLimit)}
}

// of gives the attributes of what fd has open, as records of a tar header; nil when there are none that belong to a
// home.
func (a *attributeReader) of(fd int) (map[string]string, error) {
	n, err := unix.Flistxattr(fd, a.names)
	return a.collect(n, err, func(name string) (int, error) { return unix.Fgetxattr(fd, name, a.value) })
}

// ofLink is of for a descriptor that only names a symbolic link (O_PATH), which no call for descriptors takes.
func (a *attributeReader) ofLink(fd int) (map[string]string, error) {
	at := descriptorPath(fd)
	n, err := unix.Listxattr(at, a.names)
	return a.collect(n, err, func(name string) (int, error) { return unix.Getxattr(at, name, a.value) })
}

func (a *attributeReader) collect(n int, err error, get func(name string) (int, error)) (map[string]string, error) {
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing its attributes: %w", err)
	}
	var records map[string]string
	total := 0
	for name := range bytes.SplitSeq(a.names[:n], []byte{0}) {
		if !Belongs(string(name)) {
			continue
		}
		size, err := get(string(name))
		if errors.Is(err, unix.ENODATA) { // removed meanwhile
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("its attribute %q: %w", name, err)
		}
		if total += len(name) + size; total > attributesLimit {
			return nil, fmt.Errorf("it has attributes of more than %d bytes", attributesLimit)
		}
		if records == nil {
			records = map[string]string{}
		}
		records[archive.RecordAttribute+string(name)] = string(a.value[:size])
	}

	return records, nil
}

// Belongs reports whether an attribute is a home's own: what programs set, access lists and capabilities. Those of
// overlay file systems are marks of the layer and not of the file; labels and signatures (security.selinux,
// security.ima) are the host's.
func Belongs(name string) bool {
	switch {
	case strings.HasPrefix(name, "trusted.overlay."), strings.HasPrefix(name, "user.overlay."):
		return false
	case strings.HasPrefix(name, "trusted."), strings.HasPrefix(name, "user."):
		return true
	}
	return name == "security.capability" || name == "system.posix_acl_access" || name == "system.posix_acl_default"
}
