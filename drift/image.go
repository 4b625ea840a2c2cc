package drift

import (
	"regexp"
	"slices"
	"strings"
)

// refLimit is longer than any image reference a container engine accepts.
const refLimit = 1024

// tagged splits an image tag: the version, a pre-release that OpenShell's releases use, the commit of a dev build, and
// whatever a downstream patch appended ("0.0.36-fuse-overlayfs-aa8b8487").
var tagged = regexp.MustCompile(
	`^v?(\d+\.\d+\.\d+)(?:-((?:dev|rc|pre|alpha|beta)(?:\.?\d+)*)(?:[-._+](g[0-9a-f]{6,40}))?)?(?:[-_+][A-Za-z0-9_.+-]*)?$`)

// ImageVersion reads OpenShell's version off an image reference: "ghcr.io/nvidia/openshell/cluster:0.0.37" is 0.0.37
// and "nemoclaw-cluster:0.0.36-fuse-overlayfs-aa8b8487" is 0.0.36. Images that are not OpenShell's own, and tags that
// move or are missing (latest, dev, a digest alone), have none.
func ImageVersion(ref string) (Version, bool) {
	if len(ref) > refLimit {
		return Version{}, false
	}
	ref, _, _ = strings.Cut(ref, "@")
	colon := strings.LastIndexByte(ref, ':')
	if colon <= strings.LastIndexByte(ref, '/') || !ours(ref[:colon]) {
		return Version{}, false
	}
	m := tagged.FindStringSubmatch(ref[colon+1:])
	if m == nil {
		return Version{}, false
	}
	return Parse(join(m[1], m[2], m[3]))
}

// ours reports whether repository is one whose tags are OpenShell's versions.
func ours(repository string) bool {
	path := strings.Split(repository, "/")
	name := path[len(path)-1]
	if slices.Contains([]string{"nemoclaw-cluster", "openshell-cluster", "openshell-gateway", "openshell-supervisor"}, name) {
		return true
	}
	return len(path) > 1 && path[len(path)-2] == "openshell" && slices.Contains([]string{"cluster", "gateway", "supervisor"}, name)
}
