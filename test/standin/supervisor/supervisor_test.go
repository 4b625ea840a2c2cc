package supervisor

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandkeeper/test/e2e/gateway"
)

// container is a folder that passes for a container's file system, with a user "agent" who is ourselves.
func container(t *testing.T, claims string) Supervisor {
	t.Helper()
	root := t.TempDir()
	uid, gid := strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getgid())
	files := map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\nagent:x:" + uid + ":" + gid + "::/app:/bin/sh\nother:x:65000:65000::/:/bin/sh\n",
		"etc/group":  "root:x:0:\nagent:x:" + gid + ":\n",
		"token":      "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".sig\n",
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Supervisor{Root: root, Workdir: "/sandbox", Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer), Environment: map[string]string{
		"OPENSHELL_OCI_IMAGE_USER": "other", "OPENSHELL_SANDBOX_TOKEN_FILE": "/token", "OPENSHELL_SANDBOX_COMMAND": "true",
	}}
}

// TestIdentity holds whom the agent runs as, and which images are refused.
func TestIdentity(t *testing.T) {
	for _, c := range []struct{ name, user, claims, want string }{
		{"the image's user", "other", "{}", "65000:65000"},
		{"a number with a group", "1234:5678", "{}", "1234:5678"},
		{"the policy's user and group", "0", `{"run_as_user":"other","run_as_group":"65001"}`, "65000:65001"},
		{"root by number", "0", "{}", "OCI USER '0' selects UID 0"},
		{"root by name", "root", "{}", "OCI USER 'root' selects root"},
		{"nobody", "", "{}", "OCI USER is required because run_as_user is omitted"},
		{"a name that is not there", "ghost", "{}", "OCI USER name 'ghost' was not found in /etc/passwd"},
		{"a number without a group", "1234", "{}", "OCI USER '1234' uses a numeric UID without an explicit group, but /etc/passwd has no matching primary GID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := container(t, c.claims)
			s.Environment["OPENSHELL_OCI_IMAGE_USER"] = c.user
			who, err := s.identity()
			got := strconv.Itoa(int(who.uid)) + ":" + strconv.Itoa(int(who.gid))
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestRefusedImageEndsTheSupervisor holds that it ends at once and says why, before it says that it is connected.
func TestRefusedImageEndsTheSupervisor(t *testing.T) {
	s := container(t, "{}")
	s.Environment["OPENSHELL_OCI_IMAGE_USER"] = "0"
	exit := s.Run(t.Context())
	out, said := s.Stdout.(*bytes.Buffer).String(), s.Stderr.(*bytes.Buffer).String()
	if exit != 1 || out != "" || !strings.Contains(said, "OCI USER '0' selects UID 0") {
		t.Errorf("exit %d, %q, %q", exit, out, said)
	}
}

// TestHomeOfTheImage holds that a home other than /sandbox must be there and writable.
func TestHomeOfTheImage(t *testing.T) {
	s := container(t, "{}")
	s.Workdir = "/app"
	if err := s.prepareHome(identity{65000, 65000}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("missing: %v", err)
	}
	app := filepath.Join(s.Root, "app")
	if err := os.Mkdir(app, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.prepareHome(identity{65000, 65000}); err == nil || !strings.Contains(err.Error(), "is not writable and traversable") {
		t.Errorf("another's: %v", err)
	}
	if err := os.Chmod(app, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := s.prepareHome(identity{65000, 65000}); err != nil {
		t.Errorf("open to all: %v", err)
	}
}

// TestStopped holds that the agent's main process is told to end, and the exit status of a stopped sandbox.
func TestStopped(t *testing.T) {
	s := container(t, "{}")
	if os.Geteuid() != 0 {
		s.Environment["OPENSHELL_OCI_IMAGE_USER"] = "agent" // only root may give a home away
	}
	s.Environment["OPENSHELL_SANDBOX_COMMAND"] = "sleep 60"
	s.Root, s.Stdout = openToAll(t, s.Root), signalling{make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-s.Stdout.(signalling).connected
		cancel()
	}()
	began := time.Now()
	if exit := s.Run(ctx); exit != 143 || time.Since(began) > 30*time.Second {
		t.Errorf("exit %d after %v: %s", exit, time.Since(began), s.Stderr)
	}
}

// openToAll lets another user into a test's folder.
func openToAll(t *testing.T, path string) string {
	t.Helper()
	for p := path; strings.HasPrefix(p, os.TempDir()) && p != os.TempDir(); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// signalling closes connected when the supervisor says that it is.
type signalling struct{ connected chan struct{} }

func (s signalling) Write(p []byte) (int, error) {
	if strings.Contains(string(p), gateway.Connected) {
		close(s.connected)
	}
	return len(p), nil
}
