package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/drift"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

// place is where a test's engines can be: a home, a runtime directory, a root, and the environment over them.
type place struct {
	home, runtime, root string
	daemon              *dockertest.Daemon
}

func newPlace(t *testing.T) place {
	t.Helper()
	// Sockets need short paths.
	dir, err := os.MkdirTemp("", "p")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return place{filepath.Join(dir, "h"), filepath.Join(dir, "r"), filepath.Join(dir, "s"), dockertest.Start(t)}
}

// link puts the daemon's socket at path.
func (p place) link(t *testing.T, path string) {
	t.Helper()
	parents(t, path)
	if err := os.Symlink(p.daemon.Socket, path); err != nil {
		t.Fatal(err)
	}
}

func parents(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
}

func write(content string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// context makes a docker context that leads to host, and makes it the active one.
func (p place) context(t *testing.T, name, host string) {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	meta := filepath.Join(p.home, ".docker/contexts/meta", hex.EncodeToString(sum[:]), "meta.json")
	parents(t, meta)
	write(`{"Name":"`+name+`","Endpoints":{"docker":{"Host":"`+host+`","SkipTLSVerify":false}}}`)(t, meta)
	write(`{"currentContext":"`+name+`"}`)(t, filepath.Join(p.home, ".docker/config.json"))
}

// refusing leaves a socket behind that nobody listens on.
func refusing(t *testing.T, path string) {
	t.Helper()
	parents(t, path)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
}

func TestDial(t *testing.T) {
	tests := []struct {
		name    string
		arrange func(*testing.T, place) Dialing
		state   drift.State
		host    string // with % for the place's folder, "daemon" for the daemon's own
		why     string
	}{
		{"no socket anywhere", func(*testing.T, place) Dialing { return Dialing{} }, drift.Absent, "", "no socket at"},
		{"DOCKER_HOST", func(_ *testing.T, p place) Dialing { return with("DOCKER_HOST=" + p.daemon.Host()) }, drift.Known, "daemon", ""},
		{"DOCKER_HOST that fails does not fall through", func(t *testing.T, p place) Dialing {
			p.link(t, p.root+"/var/run/docker.sock")
			return with("DOCKER_HOST=unix://" + p.root + "/none.sock")
		}, drift.Unknown, "unix://%s/none.sock", "from DOCKER_HOST"},
		{"ssh", func(*testing.T, place) Dialing { return with("DOCKER_HOST=ssh://ann@host") }, drift.Unknown, "ssh://ann@host", "behind ssh"},
		{"not an address", func(*testing.T, place) Dialing { return with("DOCKER_HOST=docker") }, drift.Unknown, "docker", "not the address"},
		{
			"pipe of another system", func(*testing.T, place) Dialing { return with("DOCKER_HOST=npipe:////./pipe/d") }, drift.Unknown,
			"npipe:////./pipe/d", "not looked at",
		},
		{"the marker's host", func(t *testing.T, p place) Dialing {
			refusing(t, p.root+"/var/run/docker.sock")
			return Dialing{MarkerHost: p.daemon.Host()}
		}, drift.Known, "daemon", ""},
		{"DOCKER_HOST before the marker's", func(_ *testing.T, p place) Dialing {
			d := with("DOCKER_HOST=" + p.daemon.Host())
			d.MarkerHost = "unix:///nowhere.sock"
			return d
		}, drift.Known, "daemon", ""},
		{"the active context", func(t *testing.T, p place) Dialing {
			p.context(t, "rootless", p.daemon.Host())
			refusing(t, p.root+"/var/run/docker.sock")
			return Dialing{}
		}, drift.Known, "daemon", ""},
		{"DOCKER_CONTEXT before config.json", func(t *testing.T, p place) Dialing {
			p.context(t, "wanted", p.daemon.Host())
			p.context(t, "other", "unix:///nowhere.sock")
			return with("DOCKER_CONTEXT=wanted")
		}, drift.Known, "daemon", ""},
		{"a context that leads nowhere does not fall through", func(t *testing.T, p place) Dialing {
			p.context(t, "desktop", "unix://"+p.home+"/none.sock")
			p.link(t, p.root+"/var/run/docker.sock")
			return Dialing{}
		}, drift.Unknown, "unix://%h/none.sock", `docker context "desktop"`},
		{"a context that is not there", func(t *testing.T, p place) Dialing {
			p.link(t, p.root+"/var/run/docker.sock")
			return with("DOCKER_CONTEXT=lost")
		}, drift.Unknown, "", `docker context "lost"`},
		{"context default means none", func(t *testing.T, p place) Dialing {
			p.link(t, p.root+"/var/run/docker.sock")
			return with("DOCKER_CONTEXT=default")
		}, drift.Known, "unix://%s/var/run/docker.sock", ""},
		{"config.json torn", func(t *testing.T, p place) Dialing {
			parents(t, p.home+"/.docker/config.json")
			write(`{"currentContext":`)(t, p.home+"/.docker/config.json")
			return Dialing{}
		}, drift.Unknown, "", "not valid JSON"},
		{"rootless", func(t *testing.T, p place) Dialing {
			p.link(t, p.runtime+"/docker.sock")
			return Dialing{}
		}, drift.Known, "unix://%r/docker.sock", ""},
		{"in the home", func(t *testing.T, p place) Dialing {
			p.link(t, p.home+"/.docker/run/docker.sock")
			return Dialing{}
		}, drift.Known, "unix://%h/.docker/run/docker.sock", ""},
		{"Podman of the user", func(t *testing.T, p place) Dialing {
			p.link(t, p.runtime+"/podman/podman.sock")
			return Dialing{}
		}, drift.Known, "unix://%r/podman/podman.sock", ""},
		{"Podman of the system", func(t *testing.T, p place) Dialing {
			p.link(t, p.root+"/run/podman/podman.sock")
			return Dialing{}
		}, drift.Known, "unix://%s/run/podman/podman.sock", ""},
		{"a default socket that refuses hides no other", func(t *testing.T, p place) Dialing {
			refusing(t, p.root+"/var/run/docker.sock")
			p.link(t, p.root+"/run/podman/podman.sock")
			return Dialing{}
		}, drift.Unknown, "unix://%s/var/run/docker.sock", "from the default sockets"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t)
			d := test.arrange(t, p)
			d.Env = d.Env.With("HOME="+p.home, "XDG_RUNTIME_DIR="+p.runtime)
			d.Root, d.Timeout = p.root, 20*time.Second
			engine, got := Dial(t.Context(), d)
			host := strings.NewReplacer("daemon", p.daemon.Host(), "%h", p.home, "%r", p.runtime, "%s", p.root).Replace(test.host)
			if got.State != test.state || got.Host != host || !strings.Contains(got.Why, test.why) || (engine != nil) != (test.state == drift.Known) {
				t.Errorf("Dial = %+v (engine %v), want %s at %q because of %q", got, engine != nil, test.state, host, test.why)
			}
		})
	}
}

func with(entries ...string) Dialing { return Dialing{Env: env.Parse(entries)} }

// TestDialForeign is about sockets on which something listens that is no container engine, or one that cannot be used.
func TestDialForeign(t *testing.T) {
	tests := []struct {
		name  string
		fault dockertest.Fault
		why   string
	}{
		{"hangs at once", dockertest.Fault{Hang: true}, "did not answer within"},
		{"hangs at the list", dockertest.Fault{Call: "GET /containers/json", Hang: true}, "did not answer within"},
		{"another web server", dockertest.Fault{Status: 200, Body: "<html>welcome</html>"}, "not as a container engine"},
		{"refuses everything", dockertest.Fault{Status: 403, Body: "no"}, "no"},
		{"list is no JSON", dockertest.Fault{Call: "GET /containers/json", Status: 200, Body: "<html>"}, "does not list containers"},
		{"list is another JSON", dockertest.Fault{Call: "GET /containers/json", Status: 200, Body: `{"a":1}`}, "does not list containers"},
		{"client too old", dockertest.Fault{
			Call: "GET /containers/json", Status: 400,
			Body: `{"message":"client version 1.41 is too old. Minimum supported API version is 1.44"}`,
		}, "is too old"},
		{"breaks off", dockertest.Fault{Call: "GET /containers/json", Cut: 1}, "does not list containers"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			daemon := dockertest.Start(t)
			daemon.Break(test.fault)
			limit := 20 * time.Second
			if test.fault.Hang {
				limit = 200 * time.Millisecond
			}
			engine, got := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + daemon.Host()}), Timeout: limit})
			if engine != nil || got.State != drift.Unknown || !strings.Contains(got.Why, test.why) || !strings.Contains(got.Why, daemon.Host()) {
				t.Errorf("Dial = %+v, want unknown with the host and %q", got, test.why)
			}
		})
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	daemon := dockertest.Start(t)
	daemon.Break(dockertest.Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if engine, got := Dial(ctx, with("DOCKER_HOST="+daemon.Host())); engine != nil || got.State != drift.Unknown {
		t.Errorf("Dial = %+v, want unknown", got)
	}
}

func FuzzParseContext(f *testing.F) {
	f.Add([]byte(`{"Name":"x","Endpoints":{"docker":{"Host":"unix:///run/user/1000/docker.sock","SkipTLSVerify":true}}}`))
	f.Add([]byte(`{"Endpoints":{"docker":{}}}`))
	f.Add([]byte(`{"Endpoints":null}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if a, err := parseContext(content); err == nil && a.host == "" {
			t.Errorf("parseContext accepts %q without a host", content)
		}
	})
}
