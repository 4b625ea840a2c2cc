package openshell

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/text"
)

// metadataLimit is far above any registration that the CLI writes (a few hundred bytes).
const metadataLimit = 1 << 20

// ReadRegistration reads the CLI's own record of a gateway, gateways/NAME/metadata.json: the user's, else the system's
// (docs/facts/openshell.md 1.4). It wraps fs.ErrNotExist when there is neither.
func ReadRegistration(e env.Env, name string) (Registration, error) {
	if !oneComponent(name) {
		return Registration{}, text.As(fs.ErrInvalid, "no gateway can be called %q", name)
	}
	for _, dir := range configDirs(e) {
		path := filepath.Join(dir, "gateways", name, "metadata.json")
		content, err := homefile.Read(e.Home(), path, metadataLimit)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Registration{}, fmt.Errorf("gateway %q: %w", name, err)
		}
		registration, err := ParseRegistration(content)
		if err != nil {
			return Registration{}, fmt.Errorf("gateway %q: %s: %w", name, path, err)
		}
		registration.Active = ActiveGateway(e) == name
		return registration, nil
	}
	return Registration{}, text.As(fs.ErrNotExist, "gateway %q is not registered with the openshell CLI", name)
}

// Registered are the names of all gateways that the CLI has registered, of this user and of the system, sorted. A
// folder that cannot be read has none.
func Registered(e env.Env) []string {
	var names []string
	for _, dir := range configDirs(e) {
		entries, _ := os.ReadDir(filepath.Join(dir, "gateways"))
		for _, entry := range entries {
			if _, err := os.Lstat(filepath.Join(dir, "gateways", entry.Name(), "metadata.json")); err == nil {
				names = append(names, entry.Name())
			}
		}
	}

	slices.Sort(names)
	return slices.Compact(names)
}

// ParseRegistration reads one metadata.json. Keys that we do not know are tolerated.
func ParseRegistration(content []byte) (Registration, error) {
	var record struct {
		Name     string `json:"name"`
		Endpoint string `json:"gateway_endpoint"`
		Remote   bool   `json:"is_remote"`
		Port     int    `json:"gateway_port"`
		Auth     string `json:"auth_mode"`
	}
	if err := json.Unmarshal(content, &record); err != nil {
		return Registration{}, fmt.Errorf("not a gateway registration: %w", err)
	}
	if record.Name == "" || record.Endpoint == "" {
		return Registration{}, errors.New("not a gateway registration: name or gateway_endpoint is missing")
	}
	port := PortOf(record.Endpoint)
	if port == 0 {
		port = record.Port
	}
	return Registration{Name: record.Name, Endpoint: record.Endpoint, Port: port, Auth: record.Auth, Remote: record.Remote}, nil
}

// ActiveGateway is the gateway that the CLI talks to when none is named: OPENSHELL_GATEWAY, else active_gateway of the
// user, else of the system; "" when none is set.
func ActiveGateway(e env.Env) string {
	if name := strings.TrimSpace(e.Get("OPENSHELL_GATEWAY")); name != "" {
		return name
	}
	for _, dir := range configDirs(e) {
		content, err := homefile.Read(e.Home(), filepath.Join(dir, "active_gateway"), 4096)
		if name := strings.TrimSpace(string(content)); err == nil && oneComponent(name) {
			return name
		}
	}
	return ""
}

func configDirs(e env.Env) []string {
	var dirs []string
	if user := e.ConfigHome(); user != "" {
		dirs = append(dirs, filepath.Join(user, "openshell"))
	}
	if system := e.Get("OPENSHELL_SYSTEM_GATEWAY_DIR"); filepath.IsAbs(system) {
		return append(dirs, system)
	}
	return append(dirs, "/etc/openshell")
}

func oneComponent(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\\\x00\n")
}
