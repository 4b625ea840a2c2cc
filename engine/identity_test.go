package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

// identityAt dials whatever answers at the socket and asks it who it is.
func identityAt(t *testing.T, socket string) (string, error) {
	t.Helper()
	e, state := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=unix://" + socket})})
	if e == nil {
		t.Fatalf("%+v", state)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e.Identity(t.Context())
}

func TestTwoEnginesBehindOneSocketAreTwo(t *testing.T) {
	d := dockertest.Start(t)
	one, err := identityAt(t, d.Socket)
	same, again := identityAt(t, d.Socket)
	if one == "" || one != same || err != nil || again != nil {
		t.Errorf("asked twice: %q, %q, %v, %v", one, same, err, again)
	}
	d.Become("OTHER")
	if two, err := identityAt(t, d.Socket); two == one || err != nil {
		t.Errorf("another engine at the same address: %q, %v", two, err)
	}
}

// answering is an engine whose answers to /info and /version are the test's.
func answering(t *testing.T, info, version map[string]any) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "identity")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	reply := func(w http.ResponseWriter, value any) { _ = json.NewEncoder(w).Encode(value) }
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		switch {
		case strings.HasSuffix(r.URL.Path, "/info"):
			reply(w, info)
		case strings.HasSuffix(r.URL.Path, "/version"):
			reply(w, version)
		default:
			reply(w, []any{})
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return socket
}

func TestIdentityOfDaemonsThatShareAnID(t *testing.T) {
	docker := map[string]any{"Components": []map[string]string{{"Name": "Engine"}}}
	of := func(info map[string]any) string {
		identity, err := identityAt(t, answering(t, info, docker))
		if err != nil {
			t.Error(err)
		}
		return identity
	}
	if a, b := of(map[string]any{"ID": "X", "DockerRootDir": "/a"}), of(map[string]any{"ID": "X", "DockerRootDir": "/b"}); a == b {
		t.Errorf("two daemons are both %q", a)
	}
	for _, info := range []map[string]any{{"ID": "X"}, {"DockerRootDir": "/a"}} {
		if identity, err := identityAt(t, answering(t, info, docker)); err == nil {
			t.Errorf("%v is taken for %q", info, identity)
		}
	}
}

// Podman's ID is another one in each answer, so it cannot be part of its identity.
func TestIdentityOfPodman(t *testing.T) {
	podman := map[string]any{"Components": []map[string]string{{"Name": podmanComponent}}}
	first, err := identityAt(t, answering(t, map[string]any{"ID": "one", "DockerRootDir": "/storage"}, podman))
	second, again := identityAt(t, answering(t, map[string]any{"ID": "two", "DockerRootDir": "/storage"}, podman))
	other, third := identityAt(t, answering(t, map[string]any{"ID": "two", "DockerRootDir": "/home/x/storage"}, podman))
	if err := errors.Join(err, again, third); err != nil || first != second || first == other {
		t.Errorf("%q, %q, %q, %v", first, second, other, err)
	}
	if owner := fmt.Sprint(os.Getuid()); !strings.HasSuffix(first, " "+owner) {
		t.Errorf("%q does not name the owner %s of the socket", first, owner)
	}
}

// The real one of this machine, where there is one.
func TestIdentityOfRealPodman(t *testing.T) {
	if _, err := exec.LookPath("podman"); err != nil {
		t.Skip("SKIPPED, this machine has no podman")
	}
	dir, err := os.MkdirTemp("", "podman")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	service := exec.Command("podman", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "system", "service", "--time=0", "unix://"+socket)
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Process.Kill(); _ = service.Wait() })
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
	}
	first, err := identityAt(t, socket)
	for until := time.Now().Add(time.Minute); err != nil && time.Now().Before(until); { // its first answer takes long on a busy machine
		first, err = identityAt(t, socket)
	}
	second, again := identityAt(t, socket)
	if err := errors.Join(err, again); err != nil || first != second || !strings.HasPrefix(first, "podman ") {
		t.Errorf("%q, then %q, %v", first, second, err)
	}
}
