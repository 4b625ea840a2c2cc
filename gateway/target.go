package gateway

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sandkeeper/internal/text"
	"sandkeeper/openshell"
)

// Default ports of a gateway's endpoint: NemoClaw's, and OpenShell's own since 0.0.44 (docs/facts/openshell.md 1.3).
const (
	NemoClawPort  = 8080
	OpenShellPort = 17670
)

// ErrBadName means that a gateway's name cannot be one: it is data, and becomes part of paths.
var ErrBadName = errors.New("not a gateway name")

// ChooseTarget decides which gateway is meant; the first of these that is set: -g, NEMOCLAW_GATEWAY_PORT, the
// registry's binding, OPENSHELL_GATEWAY, the CLI's active_gateway, "nemoclaw" where ~/.nemoclaw exists, "openshell".
// Port and endpoint are those the CLI has registered; without a registration the port follows from the name. A name
// that cannot be used is in Target.Err, and nothing is read for it.
func ChooseTarget(_ context.Context, o Options) Target {
	t := o.named()
	if t.Err != nil {
		return t
	}
	if !oneComponent(t.Name) {
		t.Err = text.As(ErrBadName, "%s names gateway %q, and no gateway can be called that", t.Source, t.Name)
		return t
	}
	registered, err := openshell.ReadRegistration(o.Env, t.Name)
	if err == nil {
		t.Port, t.Endpoint = registered.Port, registered.Endpoint
		t.Remote = registered.Remote || !local(registered.Endpoint)
		return t
	}

	if t.Unknown = errors.Is(err, fs.ErrNotExist); !t.Unknown {
		t.Doubt = clean(err)
	}
	t.Port = OpenShellPort
	if port, ok := nemoclawPort(t.Name); ok {
		t.Port = port
	}
	return t
}

func (o Options) named() Target {
	if o.Gateway != "" {
		return Target{Name: o.Gateway, Source: "-g"}
	}
	if text := strings.TrimSpace(o.Env.Get("NEMOCLAW_GATEWAY_PORT")); text != "" {
		return fromPort(text, "NEMOCLAW_GATEWAY_PORT")
	}
	if o.GatewayPort != 0 {
		return fromPort(strconv.Itoa(o.GatewayPort), "the registry")
	}
	if o.GatewayName != "" {
		return Target{Name: o.GatewayName, Source: "the registry"}
	}
	if name := strings.TrimSpace(o.Env.Get("OPENSHELL_GATEWAY")); name != "" {
		return Target{Name: name, Source: "OPENSHELL_GATEWAY"}
	}
	if name := openshell.ActiveGateway(o.Env); name != "" {
		return Target{Name: name, Source: "active_gateway"}
	}
	if o.hasNemoClaw() {
		return Target{Name: "nemoclaw", Source: "~/.nemoclaw"}
	}
	return Target{Name: "openshell", Source: "default"}
}

func (o Options) hasNemoClaw() bool {
	home := o.Env.Home()
	if home == "" {
		return false
	}
	info, err := os.Stat(filepath.Join(home, ".nemoclaw"))
	return err == nil && info.IsDir()
}

func fromPort(given, source string) Target {
	port, err := strconv.Atoi(given)
	if err != nil || port < 1 || port > 65535 {
		return Target{Source: source, Err: text.As(ErrBadName, "%s is %q, which is not a TCP port", source, given)}
	}
	return Target{Name: nemoclawName(port), Source: source}
}

// nemoclawName is the gateway name that NemoClaw derives from a port (docs/facts/nemoclaw.md 1.3).
func nemoclawName(port int) string {
	if port == NemoClawPort {
		return "nemoclaw"
	}
	return "nemoclaw-" + strconv.Itoa(port)
}

// nemoclawPort is the port behind a NemoClaw gateway name; "nemoclaw-8080" and "nemoclaw-08091" are none.
func nemoclawPort(name string) (int, bool) {
	if name == "nemoclaw" {
		return NemoClawPort, true
	}
	text, ok := strings.CutPrefix(name, "nemoclaw-")
	port, err := strconv.Atoi(text)
	return port, ok && err == nil && port > 0 && port < 1<<16 && nemoclawName(port) == name
}

func oneComponent(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 && !strings.HasPrefix(name, "-") &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || r <= ' ' || r == 0x7f })
}

// local reports whether an endpoint is on this host; an endpoint without a host is.
func local(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		name, err := os.Hostname()
		return err == nil && strings.EqualFold(name, u.Hostname())
	}
	return address.IsLoopback() || address.IsUnspecified() || ours(address.Unmap())
}

func ours(address netip.Addr) bool {
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, each := range interfaces {
		if prefix, err := netip.ParsePrefix(each.String()); err == nil && prefix.Addr().Unmap() == address {
			return true
		}
	}
	return false
}
