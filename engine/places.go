package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"

	"sandkeeper/internal/homefile"
)

// listVariable replaces the list of places: addresses such as unix:///run/docker.sock, separated by commas.
const listVariable = "SANDKEEPER_ENGINES"

// listed are the addresses of SANDKEEPER_ENGINES; none when it is not set.
func (d Dialing) listed() []address {
	var found []address
	for host := range strings.SplitSeq(d.Env.Get(listVariable), ",") {
		if host = strings.TrimSpace(host); host != "" {
			found = append(found, address{host: host, from: listVariable, tls: d.environmentTLS()})
		}
	}
	return found
}

// places are where the engines of this host may be: what somebody named, and each known socket that exists. absent are
// the known sockets that do not.
func (d Dialing) places() (there []address, absent []string) {
	if listed := d.listed(); len(listed) > 0 {
		return listed, nil
	}
	seen := map[string]bool{}
	add := func(a address) {
		path, unix := strings.CutPrefix(a.host, "unix://")
		if unix {
			if real, err := filepath.EvalSymlinks(path); err == nil {
				path = real
			}
		}

		if !seen[path] {
			seen[path] = true
			there = append(there, a)
		}
	}
	for _, a := range d.named() {
		add(a)
	}
	for _, path := range d.everySocket() {
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			absent = append(absent, path)
			continue
		}
		add(address{host: "unix://" + path, from: "the known sockets"})
	}

	return there, absent
}

// named are the engines that the environment, the gateway or a docker context names.
func (d Dialing) named() []address {
	var found []address
	if chosen, err := d.chosen(); err == nil && chosen.host != "" {
		found = append(found, chosen)
	}
	for _, host := range append([]string{d.MarkerHost}, d.MarkerHosts...) {
		if host = strings.TrimSpace(host); host != "" {
			found = append(found, address{host: host, from: "the gateway's runtime marker"})
		}
	}

	if path := strings.TrimSpace(d.Env.Get("OPENSHELL_PODMAN_SOCKET")); path != "" {
		found = append(found, address{host: socketHost(path), from: "OPENSHELL_PODMAN_SOCKET"})
	}
	return slices.Concat(found, d.gatewayConfig(), d.localContexts())
}

// socketHost is a socket as an address, whether it was given as a path or as one.
func socketHost(text string) string {
	if filepath.IsAbs(text) {
		return "unix://" + text
	}
	return text
}

// everySocket are the sockets of Docker and Podman, with root and without, and of the desktops that run them.
func (d Dialing) everySocket() []string {
	paths := d.sockets()
	if home := d.Env.Home(); home != "" {
		for _, path := range []string{".docker/desktop/docker.sock", ".orbstack/run/docker.sock", ".rd/docker.sock", ".colima/default/docker.sock"} {
			paths = append(paths, filepath.Join(home, path))
		}
		for _, pattern := range []string{".colima/*/docker.sock", ".config/colima/*/docker.sock", ".local/share/containers/podman/machine/*/podman.sock"} {
			matches, _ := filepath.Glob(filepath.Join(home, pattern))
			paths = append(paths, matches...)
		}
	}

	slices.Sort(paths[len(d.sockets()):])
	return slices.Compact(paths)
}

// runtimeDir is XDG_RUNTIME_DIR, else where it would be: cron and sudo do not set it.
func (d Dialing) runtimeDir() string {
	if dir := d.Env.RuntimeDir(); dir != "" {
		return dir
	}
	return filepath.Join("/", d.Root, "/run/user", strconv.Itoa(d.UID))
}

// gatewayConfig are the sockets that gateway.toml names for its compute drivers.
func (d Dialing) gatewayConfig() []address {
	path := d.Env.Get("OPENSHELL_GATEWAY_CONFIG")
	if path == "" && d.Env.ConfigHome() != "" {
		path = filepath.Join(d.Env.ConfigHome(), "openshell/gateway.toml")
	}
	content, err := homefile.Read(d.Env.Home(), path, contextFileLimit)
	if err != nil {
		return nil
	}
	var config struct {
		OpenShell struct {
			Drivers map[string]map[string]any `toml:"drivers"`
		} `toml:"openshell"`
	}
	if toml.Unmarshal(content, &config) != nil {
		return nil // the gateway itself says what is wrong with it
	}
	var found []address
	for _, driver := range []string{"docker", "podman"} {
		for _, key := range []string{"socket_path", "docker_host"} {
			if host, ok := config.OpenShell.Drivers[driver][key].(string); ok && host != "" {
				found = append(found, address{host: socketHost(host), from: path})
			}
		}
	}

	return found
}

// localContexts are the docker contexts whose engine is a socket of this host.
func (d Dialing) localContexts() []address {
	metas, _ := filepath.Glob(filepath.Join(d.configDir(), "contexts/meta/*/meta.json"))
	var found []address
	for _, path := range metas {
		content, err := homefile.Read(d.Env.Home(), path, contextFileLimit)
		if err != nil {
			continue
		}
		var meta struct{ Name string }
		a, err := parseContext(content)
		if err != nil || json.Unmarshal(content, &meta) != nil || !strings.HasPrefix(a.host, "unix://") {
			continue
		}
		if _, err := os.Stat(strings.TrimPrefix(a.host, "unix://")); err != nil {
			continue // a context outlives the engine that it was made for
		}
		a.from = fmt.Sprintf("docker context %q", meta.Name)
		found = append(found, a)
	}
	return found
}

// MayNotOpen begins what is said of a socket that belongs to others.
const MayNotOpen = "this user may not open"

// closedWhy says who may open the socket at path.
func closedWhy(path, why string) string {
	info, err := os.Stat(path)
	if err != nil {
		return why
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return why
	}
	return fmt.Sprintf("%s %s: it is for %s and %s", MayNotOpen, path, ownerName(stat.Uid), groupName(int(stat.Gid)))
}

func ownerName(uid uint32) string {
	if uid == 0 {
		return "root"
	}
	return fmt.Sprintf("user %d", uid)
}

// groupName is a group as /etc/group calls it.
func groupName(gid int) string {
	groups, _ := os.ReadFile("/etc/group")
	for line := range strings.Lines(string(groups)) {
		if fields := strings.Split(strings.TrimSpace(line), ":"); len(fields) == 4 && fields[2] == strconv.Itoa(gid) {
			return fmt.Sprintf("group %q", fields[0])
		}
	}
	return fmt.Sprintf("group %d", gid)
}
