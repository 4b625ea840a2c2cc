package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sandkeeper/internal/homefile"
)

// markerLimit is far above any marker (about 700 bytes).
const markerLimit = 64 << 10

// stateDir is where NemoClaw keeps marker, PID file and database of the gateway named t (docs/facts/nemoclaw.md 1.2);
// "" with the reason when that gateway has no such folder.
func (o Options) stateDir(t Target) (dir, why string) {
	if override := strings.TrimSpace(o.Env.Get("NEMOCLAW_OPENSHELL_GATEWAY_STATE_DIR")); override != "" {
		if !filepath.IsAbs(override) {
			return "", fmt.Sprintf("NEMOCLAW_OPENSHELL_GATEWAY_STATE_DIR is %q, which is not an absolute path", override)
		}
		return filepath.Clean(override), ""
	}

	port, ok := nemoclawPort(t.Name)
	if !ok {
		return "", fmt.Sprintf("gateway %q is not started by NemoClaw", t.Name)
	}
	if o.Env.Home() == "" {
		return "", "HOME is not set to an absolute path"
	}
	leaf := "openshell-docker-gateway"
	if port != NemoClawPort {
		leaf += "-" + strconv.Itoa(port)
	}
	return filepath.Join(o.Env.Home(), ".local/state/nemoclaw", leaf), ""
}

// readMarker reads the runtime marker of t. A well-formed one is stale until its process has been looked at.
func (o Options) readMarker(t Target) Marker {
	dir, why := o.stateDir(t)
	if dir == "" {
		return Marker{State: MarkerAbsent, Reason: why}
	}
	path := filepath.Join(dir, "runtime.json")
	content, err := homefile.ReadOwn(o.Env.Home(), path, markerLimit, o.UID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Marker{Path: path, State: MarkerAbsent, Reason: "no file " + path}
	case err != nil:
		return Marker{Path: path, State: MarkerInvalid, Reason: strings.TrimPrefix(clean(err), path+": ")}
	}

	m, err := ParseMarker(content)
	m.Path = path
	if err != nil {
		return Marker{Path: path, State: MarkerInvalid, Reason: clean(err)}
	}
	return m
}

// driverName reports whether newer NemoClaw accepts the name: up to 64 small letters, digits and hyphens, a letter first.
// T-Aug wrote "docker" only.
func driverName(name string) bool {
	const letters, rest = "abcdefghijklmnopqrstuvwxyz", "0123456789-"
	return name != "" && len(name) <= 64 && strings.Contains(letters, name[:1]) && strings.Trim(name, letters+rest) == ""
}

// ParseMarker reads a runtime.json (docs/facts/nemoclaw.md 3.1). Every key that NemoClaw requires is required, with
// its type; keys that we do not know are tolerated. The marker is MarkerStale: only its process can make it live.
func ParseMarker(content []byte) (Marker, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(content, &keys); err != nil {
		return Marker{}, fmt.Errorf("it is not a JSON object: %w", err)
	}
	f := fields{keys: keys}
	if version := f.integer("version"); f.err == nil && version != 1 {
		return Marker{}, fmt.Errorf("it has version %d, and only version 1 is known", version)
	}
	m := Marker{State: MarkerStale, PID: f.integer("pid")}
	driver := f.text("driver")
	f.text("platform")
	f.text("arch")
	f.text("desiredEnvHash")
	m.Endpoint = f.text("endpoint")
	m.GatewayBin, m.OpenShellVersion = f.textOrNull("gatewayBin"), f.textOrNull("openshellVersion")
	m.DockerHost = f.textOrNull("dockerHost")
	created := f.text("createdAt")
	if f.err != nil {
		return Marker{}, f.err
	}
	var err error
	if m.CreatedAt, err = time.Parse(time.RFC3339, created); err != nil {
		return Marker{}, fmt.Errorf("its createdAt %q is not a time", created)
	}
	return m, m.check(driver)
}

func (m Marker) check(driver string) error {
	switch {
	case m.PID < 1 || m.PID > 1<<31-1:
		return fmt.Errorf("its pid %d cannot be a process", m.PID)
	case !driverName(driver):
		return fmt.Errorf("its driver %q cannot be one", driver)
	case m.GatewayBin != "" && !filepath.IsAbs(m.GatewayBin):
		return fmt.Errorf("its gatewayBin %q is not an absolute path", m.GatewayBin)
	}
	return nil
}

// fields reads required keys and keeps the first thing that is wrong with them.
type fields struct {
	keys map[string]json.RawMessage
	err  error
}

func (f *fields) read(key, kind string, into any) {
	raw, ok := f.keys[key]
	switch {
	case f.err != nil:
	case !ok:
		f.err = fmt.Errorf("it has no %q", key)
	case json.Unmarshal(raw, into) != nil:
		f.err = fmt.Errorf("its %q is not %s", key, kind)
	}
}

func (f *fields) integer(key string) (n int) {
	var value *int
	f.read(key, "an integer", &value)
	if value == nil {
		f.null(key, "an integer")
		return 0
	}
	return *value
}

func (f *fields) text(key string) string {
	var value *string
	f.read(key, "a string", &value)
	if value == nil {
		f.null(key, "a string")
		return ""
	}
	return *value
}

func (f *fields) textOrNull(key string) string {
	var value *string
	f.read(key, "a string or null", &value)
	if value == nil {
		return ""
	}
	return *value
}

func (f *fields) null(key, kind string) {
	if f.err == nil {
		f.err = fmt.Errorf("its %q is null, not %s", key, kind)
	}
}

// MarkerHost is the container engine that the runtime marker of the chosen gateway names, or "". It reads one file and
// runs nothing, so that a run that trusts no gateway still finds the engine that the gateway was started with.
func MarkerHost(ctx context.Context, o Options) string {
	o = o.filled()
	t := ChooseTarget(ctx, o)
	if t.Err != nil {
		return ""
	}
	return o.readMarker(t).DockerHost
}
