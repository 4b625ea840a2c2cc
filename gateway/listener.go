package gateway

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// Listener is a process that holds a listening socket in our own network namespace.
type Listener struct {
	PID     int // 0: this user may not see whose socket it is
	UID     int // who made the socket
	Address netip.Addr
	Port    int
}

// Holder is what holds the port of a gateway's endpoint.
type Holder struct {
	Listener
	Program string // the name of its program; "" when it cannot be seen
	Way     Way
	Foreign string // why it is none of this host's own processes; "" when it is one, or cannot be seen
	gateway bool   // its command line is a gateway's

	Container string // full id of the container that it is in; "" when it is in none, or that cannot be seen
}

// Way says what a program that holds a port does with what comes in.
type Way string

// The ways.
const (
	WayItself Way = ""        // it answers itself
	WayEngine Way = "engine"  // a container engine's proxy: a container answers
	WayAfar   Way = "forward" // a forward to another host or into a cluster: what answers is not of this host
	WayProxy  Way = "proxy"   // a web server or proxy: it may answer itself or pass on
)

// wayOf knows the programs that only pass on what comes in.
func wayOf(program string, args []string) Way {
	switch program {
	case "docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "pasta.avx2", "passt", "gvproxy", "vpnkit", "vpnkit-bridge",
		"com.docker.backend", "OrbStack Helper", "limactl", "conmon":
		return WayEngine
	case "ssh", "sshd", "autossh", "kubefwd", "socat", "chisel", "cloudflared", "tailscaled", "wslrelay", "wslrelay.exe", "teleport", "tsh":
		return WayAfar
	case "kubectl", "oc", "k9s", "minikube":
		return WayAfar
	case "nginx", "haproxy", "envoy", "caddy", "traefik", "istio-proxy", "squid", "pingora":
		return WayProxy
	}

	if slices.Contains(args, "port-forward") {
		return WayAfar
	}
	return WayItself
}

// programOf is the name of a process's program as a person knows it.
func programOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	name := filepath.Base(bare(args[0]))
	name, _, _ = strings.Cut(name, ": ") // "sshd: ada", "nginx: master process"
	return strings.TrimSuffix(name, ":")
}

// String names the holder: "process 55 (nginx)".
func (h Holder) String() string {
	switch {
	case h.PID == 0:
		return fmt.Sprintf("a process of user %d that cannot be looked into", h.UID)
	case h.Program == "":
		return fmt.Sprintf("process %d", h.PID)
	}
	return fmt.Sprintf("process %d (%s)", h.PID, clean(fmt.Errorf("%s", h.Program)))
}

// answersAt reports whether what listens at address l gets what is sent to t's endpoint on this host.
func (l Listener) answersAt(t Target) bool {
	if t.Port == 0 || l.Port != t.Port {
		return false
	}
	if !l.Address.IsValid() || l.Address.IsUnspecified() {
		return true
	}
	host := ""
	if u, err := url.Parse(t.Endpoint); err == nil {
		host = u.Hostname()
	}
	if named, err := netip.ParseAddr(host); err == nil && !named.IsUnspecified() {
		return named.Unmap() == l.Address.Unmap()
	}
	return l.Address.IsLoopback() // localhost, a name of this host, or no endpoint at all
}
