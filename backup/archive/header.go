package archive

import (
	"archive/tar"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// Records that an entry's header has beside those of tar. GNU tar passes over those with our name when it unpacks.
const (
	// RecordAttribute begins the name of an extended attribute, as GNU tar, star and Go spell it.
	RecordAttribute = "SCHILY.xattr."
	// RecordData lists where in a file there is data, as "offset+length" with commas between; elsewhere it has holes.
	// "-" is a file that is one hole, "*" one with too many to list.
	RecordData = "SANDKEEPER.data"
	// RecordTwin is the path of another entry that is the same symbolic link: one file with two names.
	RecordTwin = "SANDKEEPER.twin"
)

// TypeSocket is no type of tar's: it lets a source say that an entry is a socket.
const TypeSocket = 's'

// PathLimit is how many bytes the path of an entry may have. Linux has no limit for what one folder below the other
// adds up to.
const PathLimit = 256 << 10

// admit decides whether an entry can be kept and gives the header to store; neither header nor exclusion for records
// that are no entries.
func (a *Archive) admit(h *tar.Header) (*tar.Header, *Exclusion) {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil, nil
	}
	name := CleanName(h.Name)
	if reason := OddName(name); reason != "" {
		return nil, LeftOut(name, LeftOutOther, reason)
	}
	kind, reason := StoredType(h.Typeflag)
	if reason != "" {
		return nil, LeftOut(name, LeftOutSpecial, reason)
	}
	if _, twice := a.Kinds.Of(name); twice {
		return nil, LeftOut(name, LeftOutOther, "listed twice; the first one was kept")
	}
	if parent, found := a.Kinds.Of(path.Dir(name)); found && parent != tar.TypeDir && name != "." {
		return nil, LeftOut(name, LeftOutOther, "lies below something that is not a folder")
	}
	out := storedHeader(h, name, kind)
	if kind == tar.TypeLink {
		if reason := a.linkProblem(out.Linkname); reason != "" {
			return nil, LeftOut(name, LeftOutOther, reason)
		}
	}

	return out, nil
}

// linkProblem says why a hard link to target cannot be stored: tar can only link to a file that came before.
func (a *Archive) linkProblem(target string) string {
	switch kind, found := a.Kinds.Of(target); {
	case a.lost[target]:
		return "hard link to " + Printable(target) + ", which was left out"
	case !found:
		return "hard link to " + Printable(target) + ", which was not captured"
	case kind != tar.TypeReg:
		return "hard link to " + Printable(target) + ", which is not a file"
	}
	return ""
}

// storedHeader keeps what a restore needs and what is the same on every read: access and change times are not.
func storedHeader(h *tar.Header, name string, kind byte) *tar.Header {
	out := &tar.Header{
		Typeflag: kind, Name: name, Mode: h.Mode & 0o7777, Uid: h.Uid, Gid: h.Gid, Uname: h.Uname, Gname: h.Gname,
		ModTime: storedTime(h.ModTime), PAXRecords: keptRecords(h.PAXRecords),
	}
	switch kind {
	case tar.TypeReg:
		out.Size = h.Size
	case tar.TypeSymlink:
		out.Linkname = h.Linkname
	case tar.TypeLink:
		out.Linkname = CleanName(h.Linkname)
	}

	if out.PAXRecords != nil || out.ModTime.Nanosecond() != 0 {
		out.Format = tar.FormatPAX // left open, the writer would round times to seconds
	}
	return out
}

// storedTime keeps times that tar cannot carry from failing the entry.
func storedTime(t time.Time) time.Time {
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Unix(0, 0)
	}
	return t
}

// keptRecords are those that a restore acts on.
func keptRecords(records map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range records {
		attribute := strings.HasPrefix(key, RecordAttribute) && len(key) > len(RecordAttribute) && !strings.Contains(key, "=")
		if attribute || key == RecordData || key == RecordTwin {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

// StoredType is the type that an entry is stored as, or why it is not.
func StoredType(flag byte) (kind byte, reason string) {
	switch flag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse: // NUL is how old tars spell a regular file
		return tar.TypeReg, ""
	case tar.TypeDir, tar.TypeSymlink, tar.TypeLink:
		return flag, ""
	case tar.TypeChar, tar.TypeBlock:
		return 0, "device"
	case tar.TypeFifo:
		return 0, "pipe"
	case TypeSocket:
		return 0, "socket"
	}
	return 0, "not a file, folder or link (tar type " + Printable(string(flag)) + ")"
}

// TypeWord is the word that a manifest has for a tar type.
func TypeWord(flag byte) string {
	switch flag {
	case tar.TypeDir:
		return "dir"
	case tar.TypeSymlink:
		return "symlink"
	case tar.TypeLink:
		return "link"
	}
	return "file"
}

// CleanName is the one spelling of a path in an archive: relative to the home, "." for the home itself. Absolute paths
// and "..", which OddName refuses, stay visible.
func CleanName(name string) string {
	for strings.HasPrefix(name, "./") {
		name = strings.TrimLeft(name[2:], "/")
	}
	for len(name) > 1 && name[len(name)-1] == '/' {
		name = name[:len(name)-1]
	}
	if name == "" {
		return "."
	}
	return name
}

// OddName says why no restore could put name below a home; "" when it can.
func OddName(name string) string {
	switch {
	case strings.HasPrefix(name, "/"):
		return "absolute path"
	case strings.ContainsRune(name, 0):
		return "NUL in the name"
	case len(name) > PathLimit:
		return fmt.Sprintf("path of more than %d bytes", PathLimit)
	case path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../"):
		return "path that is not plain"
	}
	return ""
}

// LeftOut says that a path is not in the backup, of which kind that is, and why.
func LeftOut(name, kind, reason string) *Exclusion {
	return &Exclusion{Path: Printable(name), Kind: kind, Reason: reason}
}

// Printable is name where JSON and a terminal can carry it, with odd bytes escaped.
func Printable(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}
