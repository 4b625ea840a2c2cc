package drift

import (
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// longest is the length beyond which a text is no version: nobody prints such, and parsing stays bounded.
const longest = 256

// The same dev build is spelt in seven ways (OpenShell, tasks/scripts/release.py): CLI 0.0.112-dev.3+gabcdef012, Python
// 0.0.112.dev3+gabcdef012, docker 0.0.112-dev.3-gabcdef012, npm 0.0.112-dev.3.gabcdef012, deb 0.0.112~dev.3+gabcdef012-1,
// rpm 0.0.112-0.dev.3.gabcdef012. The commit is build metadata in all of them.
var (
	dev = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:[-~](?:0\.)?dev\.|\.dev)(\d+)(?:[-+._](g[0-9a-f]+)(?:[-.][A-Za-z0-9_.-]*)?)?$`)
	// A distribution's release number with its dist tag: 0.0.112-1.fc42.x86_64.
	packaged = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)-\d+\.(?:fc|el|amzn|suse)\d[A-Za-z0-9_.]*$`)
	plain    = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)(?:[-~]([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$`)
)

// Canonical spells a version the semver way, without a leading v: "0.0.112-dev.3+gabcdef012" for every spelling of that build. It
// reports false for what is not one whole version of three numbers.
func Canonical(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if len(text) > longest {
		return "", false
	}
	v, err := semver.StrictNewVersion(respell(text))
	if err != nil {
		return "", false
	}
	return v.String(), true
}

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

// Compare orders two versions by major.minor.patch and pre-release; build metadata is ignored. It reports false when one of them
// is unknown: not a version, or 0.0.0, which is what a build without a version calls itself.
func Compare(a, b string) (order int, known bool) {
	x, y := parse(a), parse(b)
	if x == nil || y == nil {
		return 0, false
	}
	return x.Compare(y), true
}

// Equal reports whether a and b are known and the same version. Unknown is never equal, not even to itself.
func Equal(a, b string) bool {
	order, known := Compare(a, b)
	return known && order == 0
}

// AcrossBreak reports whether a and b stand on different sides of OpenShell 0.1.0, over which nothing is upgraded in place
// (docs.nvidia.com/openshell/upgrade/0-1-0.md).
func AcrossBreak(a, b string) bool {
	x, y := parse(a), parse(b)
	return x != nil && y != nil && stable(x) != stable(y)
}

func stable(v *semver.Version) bool { return v.Major() > 0 || v.Minor() > 0 }

func parse(text string) *semver.Version {
	canonical, ok := Canonical(text)
	if !ok {
		return nil
	}
	v, err := semver.StrictNewVersion(canonical)
	if err != nil || v.Major() == 0 && v.Minor() == 0 && v.Patch() == 0 {
		return nil
	}
	return v
}
