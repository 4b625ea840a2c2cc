package engine

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandkeeper/drift"
	"sandkeeper/internal/dockertest"
)

// another is a second engine in the same place, with a sandbox of its own.
func another(t *testing.T, sandbox string) *dockertest.Daemon {
	t.Helper()
	daemon := dockertest.Start(t)
	daemon.Become("engine-of-" + sandbox)
	daemon.Add(dockertest.Container{Name: "openshell-" + sandbox, Labels: map[string]string{LabelManagedBy: "openshell", LabelSandboxName: sandbox}})
	return daemon
}

// socket puts a daemon's socket at path.
func socket(t *testing.T, d *dockertest.Daemon, path string) {
	t.Helper()
	parents(t, path)
	if err := os.Symlink(d.Socket, path); err != nil {
		t.Fatal(err)
	}
}

func names(containers []Container) string {
	var all []string
	for _, c := range containers {
		all = append(all, c.SandboxName)
	}
	return strings.Join(all, " ")
}

// Promise: whatever engine of this host runs a sandbox, it is seen.
func TestOpenFindsEveryEngine(t *testing.T) {
	uid := strconv.Itoa(os.Getuid())
	for name, at := range map[string]func(t *testing.T, p place, d *dockertest.Daemon) (entries []string){
		"rootless Docker without XDG_RUNTIME_DIR": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			socket(t, d, p.root+"/run/user/"+uid+"/docker.sock")
			return nil
		},
		"rootless Podman": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			socket(t, d, p.runtime+"/podman/podman.sock")
			return []string{"XDG_RUNTIME_DIR=" + p.runtime}
		},
		"rootful Podman": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			socket(t, d, p.root+"/run/podman/podman.sock")
			return nil
		},
		"Docker Desktop on Linux": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			socket(t, d, p.home+"/.docker/desktop/docker.sock")
			return nil
		},
		"Docker Desktop on macOS": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			socket(t, d, p.home+"/.docker/run/docker.sock")
			return nil
		},
		"OrbStack": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			socket(t, d, p.home+"/.orbstack/run/docker.sock")
			return nil
		},
		"Rancher Desktop": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			socket(t, d, p.home+"/.rd/docker.sock")
			return nil
		},
		"Colima": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			socket(t, d, p.home+"/.colima/default/docker.sock")
			return nil
		},
		"a profile of Colima": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			socket(t, d, p.home+"/.colima/work/docker.sock")
			return nil
		},
		"OPENSHELL_PODMAN_SOCKET": func(_ *testing.T, _ place, d *dockertest.Daemon) []string {
			return []string{"OPENSHELL_PODMAN_SOCKET=" + d.Socket}
		},
		"gateway.toml": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			parents(t, p.home+"/.config/openshell/gateway.toml")
			write("[openshell.drivers.podman]\nsocket_path = \""+d.Socket+"\"\n")(t, p.home+"/.config/openshell/gateway.toml")
			return nil
		},
		"a docker context that is not active": func(t *testing.T, p place, d *dockertest.Daemon) []string {
			p.context(t, "other", d.Host())
			write(`{"currentContext":"default"}`)(t, filepath.Join(p.home, ".docker/config.json"))
			return nil
		},
		"DOCKER_HOST beside the default socket": func(_ *testing.T, _ place, d *dockertest.Daemon) []string {
			return []string{"DOCKER_HOST=" + d.Host()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.link(t, p.root+"/var/run/docker.sock")
			p.daemon.Add(dockertest.Container{Name: "openshell-alpha", Labels: map[string]string{LabelManagedBy: "openshell", LabelSandboxName: "alpha"}})
			other := another(t, "beta")
			d := with(append(at(t, p, other), "HOME="+p.home)...)
			d.Root, d.UID = p.root, os.Getuid()
			es := Open(t.Context(), d)
			found, err := es.Sandboxes(t.Context())
			if names(found) != "alpha beta" || err != nil || len(es.All()) != 2 {
				t.Errorf("sandboxes %q, %v, of %d engines; want alpha and beta of two", names(found), err, len(es.All()))
			}
			for _, c := range found {
				if e := es.Of(c); e == nil || e.Host() != c.Host {
					t.Errorf("%s is on %s and is looked for on %v", c.Name, c.Host, e)
				}
			}
		})
	}
}

// One engine at several addresses is one, or its sandboxes would be two each.
func TestOpenTakesOneEngineOnce(t *testing.T) {
	p := newPlace(t)
	p.daemon.Add(dockertest.Container{Name: "openshell-alpha", Labels: map[string]string{LabelManagedBy: "openshell", LabelSandboxName: "alpha"}})
	p.link(t, p.root+"/var/run/docker.sock")
	copied := filepath.Join(filepath.Dir(p.daemon.Socket), "again.sock")
	if err := os.Link(p.daemon.Socket, copied); err != nil {
		t.Fatal(err)
	}
	d := with("DOCKER_HOST=unix://"+copied, "HOME="+p.home)
	d.Root = p.root
	es := Open(t.Context(), d)
	if found, err := es.Sandboxes(t.Context()); names(found) != "alpha" || err != nil || len(es.All()) != 1 {
		t.Errorf("sandboxes %q, %v, of %d engines; want one of one", names(found), err, len(es.All()))
	}
	if main, state := es.Main(); main == nil || state.Host != "unix://"+copied {
		t.Errorf("the engine that is meant is at %+v, want the one of DOCKER_HOST", state)
	}
}

// Promise: the list in SANDKEEPER_ENGINES replaces every place.
func TestOpenLooksWhereItIsTold(t *testing.T) {
	p := newPlace(t)
	p.link(t, p.root+"/var/run/docker.sock")
	one, two := another(t, "one"), another(t, "two")
	d := with("SANDKEEPER_ENGINES="+one.Host()+", "+two.Host(), "DOCKER_HOST="+p.daemon.Host(), "HOME="+p.home)
	d.Root, d.MarkerHost = p.root, p.daemon.Host()
	es := Open(t.Context(), d)
	if found, err := es.Sandboxes(t.Context()); names(found) != "one two" || err != nil {
		t.Errorf("sandboxes %q, %v; want those of the two that are listed", names(found), err)
	}
	if main, _ := es.Main(); main == nil || main.Host() != one.Host() {
		t.Errorf("the engine that is meant is %v, want the first of the list", main)
	}
	if calls := p.daemon.Calls(); len(calls) != 0 {
		t.Errorf("an engine that is not listed was asked: %v", calls)
	}
}

// Promise: an engine that does not answer makes the answer partial, never empty, and is waited for once and no longer than its limit.
func TestOpenOfASilentEngineIsPartial(t *testing.T) {
	p := newPlace(t)
	p.daemon.Add(dockertest.Container{Name: "openshell-alpha", Labels: map[string]string{LabelManagedBy: "openshell", LabelSandboxName: "alpha"}})
	p.link(t, p.root+"/var/run/docker.sock")
	path := p.root + "/run/podman/podman.sock"
	parents(t, path)
	silent, err := net.Listen("unix", path) // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	d := with("HOME=" + p.home)
	d.Root, d.Timeout = p.root, 2*time.Second // the one that answers has to do so within it, too
	start := time.Now()
	es := Open(t.Context(), d)
	found, err := es.Sandboxes(t.Context())
	partial, ok := errors.AsType[*PartialError](err)
	if names(found) != "alpha" || !ok || len(partial.Silent) != 1 || !strings.Contains(err.Error(), path) {
		t.Errorf("sandboxes %q, %v; want alpha, and that the answer is partial", names(found), err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s with a limit of 2s", took)
	}
	if !strings.Contains(es.LookedAt(), path+" (did not answer)") {
		t.Errorf("looked at %q, which does not name the silent one", es.LookedAt())
	}
}

func TestOpenOnAHostWithoutEngines(t *testing.T) {
	p := newPlace(t)
	d := with("HOME="+p.home, "XDG_RUNTIME_DIR="+p.runtime)
	d.Root = p.root
	es := Open(t.Context(), d)
	if main, state := es.Main(); main != nil || state.State != drift.Absent || !strings.Contains(es.LookedAt(), p.home+"/.colima/default/docker.sock") {
		t.Errorf("main %v, %+v, looked at %q", main, state, es.LookedAt())
	}
	if found, err := es.Sandboxes(t.Context()); len(found) != 0 || err != nil {
		t.Errorf("sandboxes %v, %v", found, err)
	}
}

// A named engine that does not answer is not replaced by another as the one that is meant, and the other's containers are seen all the same.
func TestOpenReplacesNoNamedEngine(t *testing.T) {
	p := newPlace(t)
	p.daemon.Add(dockertest.Container{Name: "openshell-alpha", Labels: map[string]string{LabelManagedBy: "openshell", LabelSandboxName: "alpha"}})
	p.link(t, p.root+"/var/run/docker.sock")
	d := with("HOME="+p.home, "DOCKER_HOST=unix://"+p.root+"/none.sock")
	d.Root = p.root
	es := Open(t.Context(), d)
	if main, state := es.Main(); main != nil || state.State != drift.Unknown || !strings.Contains(state.Why, "DOCKER_HOST") {
		t.Errorf("main %v, %+v; want none, and why", main, state)
	}
	found, err := es.Sandboxes(t.Context())
	if _, partial := errors.AsType[*PartialError](err); names(found) != "alpha" || !partial {
		t.Errorf("sandboxes %q, %v", names(found), err)
	}
}
