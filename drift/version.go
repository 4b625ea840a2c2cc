package drift

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/Masterminds/semver/v3"
)

// longest is the length beyond which a text is no version: nobody prints such, and parsing stays bounded.
const longest = 256

// Version is a version of OpenShell, parsed once, where it was observed. It is a value: two of them can be compared
// with ==. The zero Version is none.
type Version struct {
	text    string
	number  semver.Version
	release bool
}

// Parse reads a version in any of the spellings below. It reports false for what is not one whole version of three
// numbers; such a Version still has its text, for messages.
func Parse(text string) (Version, bool) {
	text = strings.TrimSpace(text)
	if len(text) > longest {
		return Version{text: printable(text[:longest])}, false
	}
	number, err := semver.StrictNewVersion(respell(text))
	if err != nil {
		return Version{text: printable(text)}, false
	}
	none := number.Major() == 0 && number.Minor() == 0 && number.Patch() == 0
	return Version{text: number.String(), number: *number, release: !none}, true
}

// String is the version the semver way, without a leading v: "0.0.112-dev.3+gabcdef012" for every spelling of that
// build. What is no version stays as it was printed, without control characters.
func (v Version) String() string { return v.text }

// MarshalText is String, for JSON.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// Known reports whether v is a version at all. 0.0.0 is none: a build without a version calls itself so.
func (v Version) Known() bool { return v.release }

// Compare orders two versions by major.minor.patch and pre-release; build metadata is ignored. It reports false when
// one of them is not known.
func (v Version) Compare(w Version) (order int, known bool) {
	if !v.release || !w.release {
		return 0, false
	}
	return v.number.Compare(&w.number), true
}

// Same reports whether v and w are known and of one version. What is not known is the same as nothing, not even as
// itself.
func (v Version) Same(w Version) bool {
	order, known := v.Compare(w)
	return known && order == 0
}

// Older reports whether v and w are known and v comes before w.
func (v Version) Older(w Version) bool {
	order, known := v.Compare(w)
	return known && order < 0
}

// AcrossBreak reports whether v and w stand on different sides of OpenShell 0.1.0, over which nothing is upgraded in
// place (docs.nvidia.com/openshell/upgrade/0-1-0.md).
func (v Version) AcrossBreak(w Version) bool {
	return v.release && w.release && v.Stable() != w.Stable()
}

// Numbers are the three of a known version; zeros of any other.
func (v Version) Numbers() (major, minor, patch uint64) {
	return v.number.Major(), v.number.Minor(), v.number.Patch()
}

// Stable reports whether v is known and 0.1.0 or newer.
func (v Version) Stable() bool { return v.release && (v.number.Major() > 0 || v.number.Minor() > 0) }

// Since reports whether v is known and 0.0.patch or newer. A development build counts as its release.
func (v Version) Since(patch uint64) bool {
	return v.Stable() || v.release && v.number.Patch() >= patch
}

// The same dev build is spelt in seven ways (OpenShell, tasks/scripts/release.py): CLI 0.0.112-dev.3+gabcdef012, Python
// 0.0.112.dev3+gabcdef012, docker 0.0.112-dev.3-gabcdef012, npm 0.0.112-dev.3.gabcdef012, deb
// 0.0.112~dev.3+gabcdef012-1, rpm 0.0.112-0.dev.3.gabcdef012. The commit is build metadata in all of them.
var (
	dev = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:[-~](?:0\.)?dev\.|\.dev)(\d+)(?:[-+._](g[0-9a-f]+)(?:[-.][A-Za-z0-9_.-]*)?)?$`)
	// A distribution's release number with its dist tag: 0.0.112-1.fc42.x86_64.
	packaged = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)-\d+\.(?:fc|el|amzn|suse)\d[A-Za-z0-9_.]*$`)
	plain    = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:[-~]([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$`)
)

func respell(text string) string {
	if m := dev.FindStringSubmatch(text); m != nil {
		return join(m[1], "dev."+m[2], m[3])
	}
	if m := packaged.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	if m := plain.FindStringSubmatch(text); m != nil {
		return join(m[1], m[2], m[3])
	}
	return ""
}

func join(core, pre, build string) string {
	if pre != "" {
		core += "-" + pre
	}
	if build != "" {
		core += "+" + build
	}
	return core
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}
