package classify

import (
	"cmp"
	"strconv"
	"strings"

	"sandkeeper/internal/pattern"
)

// versionRun finds runs of digits and dots; a version is a run that is exactly X.Y.Z (docs/facts/nemoclaw.md 4.3).
var versionRun = pattern.Of(`[0-9][0-9.]*`)

// probeTextLimit is how much of a version command's output is looked at.
const probeTextLimit = 64 << 10

// versionIn finds the first X.Y.Z that output says of name, on a line after the name; when no line names it, the first
// of all. When it is named and no version follows, there is none: what stands elsewhere is another program's.
func versionIn(output, name string) string {
	output = output[:min(len(output), probeTextLimit)]
	named := false
	for line := range strings.Lines(output) {
		at := strings.Index(strings.ToLower(line), strings.ToLower(name))
		if at < 0 || name == "" {
			continue
		}
		named = true
		if v := firstVersion(line[min(len(line), at+len(name)):]); v != "" {
			return v
		}
	}

	if named {
		return ""
	}
	return firstVersion(output)
}

func firstVersion(text string) string {
	for _, at := range versionRun().FindAllStringIndex(text, -1) {
		run := text[at[0]:at[1]]
		if run = strings.TrimSuffix(run, "."); strings.Count(run, ".") != 2 || strings.Contains(run, "..") {
			continue
		}
		if at[0] == 0 || text[at[0]-1] != '.' {
			return run
		}
	}
	return ""
}

// segments are the numbers of a dotted version, without a leading v and without what follows a dash or plus sign.
func segments(version string) ([]uint64, bool) {
	version = strings.TrimPrefix(strings.TrimSpace(version), "v")
	if cut := strings.IndexAny(version, "-+"); cut >= 0 {
		version = version[:cut]
	}
	parts := strings.Split(version, ".")
	numbers := make([]uint64, 0, len(parts))
	for _, part := range parts {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return nil, false
		}
		numbers = append(numbers, n)
	}

	return numbers, len(numbers) >= 2
}

// compareVersions compares number by number, as NemoClaw does; ok is false when either is not a version. 0.0.0 is what
// a build without a version prints, and is none.
func compareVersions(a, b string) (order int, ok bool) {
	left, lok := segments(a)
	right, rok := segments(b)
	if !lok || !rok || zero(left) || zero(right) {
		return 0, false
	}
	for i := range max(len(left), len(right)) {
		if order = cmp.Compare(at(left, i), at(right, i)); order != 0 {
			return order, true
		}
	}

	return 0, true
}

func zero(numbers []uint64) bool {
	for _, n := range numbers {
		if n != 0 {
			return false
		}
	}
	return true
}

func at(numbers []uint64, i int) uint64 {
	if i < len(numbers) {
		return numbers[i]
	}
	return 0
}

// calendarVersion is the shape of versions named by date (src/lib/sandbox/version-scheme.ts).
var calendarVersion = pattern.Of(`^v?(20[2-9]\d|[3-9]\d{3})\.\d+\.\d+`)

// scheme is "calendar" or "semver", by shape.
func scheme(version string) string {
	if calendarVersion().MatchString(version) {
		return "calendar"
	}
	return "semver"
}
