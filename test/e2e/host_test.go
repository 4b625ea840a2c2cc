package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/test/standin"
)

// host is a made-up host for one test.
type host struct {
	*standin.Host
	t *testing.T
}

func newHost(t *testing.T, version string) *host {
	t.Helper()
	made, err := standin.NewHost(t.TempDir(), freePort(t), standin.Programs{Dir: os.Getenv(programs)}, version)
	if err != nil {
		t.Fatal(err)
	}
	return &host{Host: made, t: t}
}

func (h *host) register(names ...string) {
	h.t.Helper()
	if err := h.Register(names...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) installGateway(version string) {
	h.t.Helper()
	if err := h.InstallGateway(version); err != nil {
		h.t.Fatal(err)
	}
}

// startGateway runs the installed gateway until the test ends.
func (h *host) startGateway() {
	h.t.Helper()
	gw, err := h.StartGateway(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = gw.Process.Kill()
		_ = gw.Wait()
	})
}

func (h *host) mark(pid int) {
	h.t.Helper()
	if err := h.Mark(pid); err != nil {
		h.t.Fatal(err)
	}
}

// envelope is the part of sandkeeper's JSON document that these tests read.
type envelope struct {
	OK       bool
	ExitCode int
	Error    *struct{ Kind, Message, Hint string }

	Preflight *struct {
		Verdict string
		Issue   *struct {
			Kind, Source, Installed, Running, Binary, Image, Container, Endpoint, Output string
			PID                                                                          int
		}
		Marker struct{ State, Reason string }
	}
	Result *struct {
		Class     string // of diagnose
		Root      string
		Totals    map[string]int
		Sandboxes []struct {
			Name, Status, State, Reason string
			Backup                      *struct{ ID, Path, SHA256, Consistency, Way, WayReason string }
		}
	}
}

// text runs sandkeeper on this host.
func (h *host) text(args ...string) printed {
	h.t.Helper()
	env, err := h.Environment()
	if err != nil {
		h.t.Fatal(err)
	}
	return run(h.t, append(env, engineEnv()...), append([]string{filepath.Join(h.Programs.Dir, "sandkeeper")}, args...)...)
}

// engineAddress is the container engine of these tests.
func engineAddress() string {
	if named := os.Getenv("DOCKER_HOST"); named != "" {
		return named
	}
	return "unix:///var/run/docker.sock"
}

// engineEnv hands on which container engine these tests use: no other one of the machine joins in. An engine that makes and removes the containers
// of six tests at once on a small machine may take longer to answer than the usual 5 s.
func engineEnv() []string {
	engine := engineAddress()
	return []string{"DOCKER_HOST=" + engine, "SANDKEEPER_ENGINES=" + engine, "SANDKEEPER_PROBE_TIMEOUT=1m"}
}

// sandkeeper runs it with --json and holds its document against its exit status.
func (h *host) sandkeeper(args ...string) envelope {
	h.t.Helper()
	p := h.text(append(args, "--json")...)
	var e envelope
	if err := json.Unmarshal([]byte(p.stdout), &e); err != nil {
		h.t.Fatalf("sandkeeper %q: stdout is not one JSON document: %v\n%s\nstderr: %s", args, err, p.stdout, p.stderr)
	}
	if e.ExitCode != p.exit || e.OK != (p.exit == 0) {
		h.t.Errorf("sandkeeper %q exits %d, its document says exitCode %d, ok %v", args, p.exit, e.ExitCode, e.OK)
	}
	return e
}

// calls is every call of the stand-in openshell so far.
func (h *host) calls() []string {
	content, err := os.ReadFile(h.Script.CallLog)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

// called reports whether a call that begins with these words was made.
func (h *host) called(words string) bool {
	for _, call := range h.calls() {
		if strings.Contains(call, words) {
			return true
		}
	}
	return false
}

// freePort is a port that nobody listens on. It is none of those that Linux gives to connections (ip_local_port_range begins at 32768): one of
// them could be a connection's by the time that somebody listens on it.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 20000 + rand.IntN(10000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			must(t, l.Close())
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return string(content)
}
