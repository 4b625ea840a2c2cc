package gateway

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sandkeeper/internal/pattern"
)

// compatBinary is where a compat container finds the gateway binary that is mounted from the host
// (docs/facts/nemoclaw.md 3.6).
const compatBinary = "/opt/nemoclaw/openshell-gateway"

// shape is the kind of command line that a gateway process has.
type shape string

const (
	notGateway shape = ""
	tagged     shape = "tagged" // argv0 openshell-gateway[nemoclaw=NAME;port=PORT]: NemoClaw's launch
	plain      shape = "plain"  // openshell-gateway, or the path that the marker names
	legacy     shape = "legacy" // openclaw-gateway, or `openshell gateway start`
	compat     shape = "compat" // the docker client that is parent to a compat container
)

// identity is what a command line says about the gateway that it runs.
type identity struct {
	shape  shape
	name   string // gateway name of the tag, or of --name; "" when unsaid
	port   int    // of the tag, or of --port; 0 when unsaid
	source string // compat: the binary on this host
}

var tag = pattern.Of(`^openshell-gateway\[nemoclaw=([^;\]]+);port=([0-9]{1,5})\]$`)

// identify reads a command line (docs/facts/nemoclaw.md 3.4). The program's own name decides; a gateway's path
// further back, as an editor's or another engine's argument, does not. gatewayBin is the path that the marker names,
// or "".
func identify(args []string, gatewayBin string) identity {
	args = words(args, gatewayBin)
	if len(args) == 0 {
		return identity{}
	}
	base := filepath.Base(args[0])
	flags := identity{name: flag(args, "--name"), port: number(flag(args, "--port"))}
	switch {
	case strings.Contains(base, "[") && strings.HasPrefix(base, "openshell-gateway["):
		return fromTag(base)
	case base == "openshell-gateway" || gatewayBin != "" && filepath.Clean(args[0]) == filepath.Clean(gatewayBin):
		flags.shape = plain
		return flags
	case base == "openclaw-gateway", base == "openshell" && len(args) > 2 && args[1] == "gateway" && args[2] == "start":
		flags.shape = legacy
		return flags
	case base == "docker" && slices.Contains(args[1:], compatBinary):
		return identity{shape: compat, name: flag(args, "--name"), source: mountSource(args)}
	}

	return identity{}
}

// fromTag accepts a canonical pair only: the name that NemoClaw gives to that port.
func fromTag(base string) identity {
	m := tag().FindStringSubmatch(base)
	if m == nil {
		return identity{}
	}
	if port, ok := nemoclawPort(m[1]); !ok || strconv.Itoa(port) != m[2] {
		return identity{}
	}
	return identity{shape: tagged, name: m[1], port: number(m[2])}
}

// fits reports whether nothing in the command line speaks for another gateway than t.
func (i identity) fits(t Target) bool {
	if i.shape == compat {
		port, _ := nemoclawPort(t.Name) // the container listens where its name says; its parent never does, so nothing else can tell
		return i.name == compatName(t) && (t.Port == 0 || t.Port == port)
	}
	return (i.name == "" || i.name == t.Name) && (i.port == 0 || t.Port == 0 || i.port == t.Port || i.shape == tagged)
}

// proves reports whether the command line itself says that it is t's.
func (i identity) proves(t Target) bool {
	return i.fits(t) && (i.name != "" || i.port != 0 && i.port == t.Port)
}

// compatName is the container in which NemoClaw runs a gateway on hosts whose C library is too old for the binary.
func compatName(t Target) string {
	switch port, ok := nemoclawPort(t.Name); {
	case !ok:
		return ""
	case port == NemoClawPort:
		return "nemoclaw-openshell-gateway"
	default:
		return "nemoclaw-openshell-gateway-" + strconv.Itoa(port)
	}
}

// words cleans the arguments. Systems without argument boundaries, and programs that rewrite their title, give one
// string: it is split at spaces, unless it is the marker's own path, which may have some.
func words(args []string, gatewayBin string) []string {
	if len(args) == 1 && bare(args[0]) != gatewayBin {
		args = strings.Fields(bare(args[0]))
	}
	cleaned := make([]string, 0, len(args))
	for _, arg := range args {
		cleaned = append(cleaned, bare(arg))
	}
	return cleaned
}

// bare takes away what ps, shells and the kernel put around a path.
func bare(arg string) string {
	arg = strings.TrimSuffix(strings.TrimSpace(arg), " (deleted)")
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(arg, `"`), `"`), `'`), `'`)
}

// flag is the value of a flag that is given exactly once, as "--name value" or "--name=value"; otherwise "".
func flag(args []string, name string) string {
	value, seen := "", 0
	for i, arg := range args {
		if arg == name && i+1 < len(args) {
			value, seen = args[i+1], seen+1
		}
		if given, ok := strings.CutPrefix(arg, name+"="); ok {
			value, seen = given, seen+1
		}
	}

	if seen != 1 {
		return ""
	}
	return value
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// mountSource is the binary that a compat container mounts: -v SOURCE:/opt/nemoclaw/openshell-gateway[:ro].
func mountSource(args []string) string {
	for _, arg := range args {
		for _, prefix := range []string{"--volume=", "-v=", "-v"} {
			arg = strings.TrimPrefix(arg, prefix)
		}
		source, rest, ok := strings.Cut(arg, ":"+compatBinary)
		if ok && (rest == "" || strings.HasPrefix(rest, ":")) && filepath.IsAbs(source) {
			return source
		}
	}
	return ""
}
