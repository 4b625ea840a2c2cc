package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/sandbox"
)

// The tests of this file's helpers run on a real engine. Where there is none they are skipped aloud, or fail when
// SANDKEEPER_REQUIRE_DOCKER=1 says that there must be one.

var realImage = sync.OnceValues(func() (string, error) {
	e, state := engine.Dial(context.Background(), engine.Dialing{Env: env.Parse(os.Environ())})
	if e == nil {
		return "", fmt.Errorf("no container engine: %s", state.Why)
	}
	ref := "sk-bk-test:busybox"
	if _, err := e.ImageID(context.Background(), ref); err == nil {
		return ref, nil
	}
	rootfs, err := busyboxRoot()
	if err != nil {
		return "", err
	}
	answer, err := e.Client().ImageImport(context.Background(), image.ImportSource{Source: rootfs, SourceName: "-"}, ref, image.ImportOptions{})
	if err != nil {
		return "", err
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer)
	return ref, err
})

func busyboxRoot() (io.Reader, error) {
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, dir := range []string{"bin/", "tmp/", "sandbox/", "proc/", "etc/"} {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755})
	}
	_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755, Size: int64(len(program))})
	_, _ = w.Write(program)
	for _, name := range []string{"sh", "sleep", "dd", "tar", "cat", "mv", "rm", "mkdir", "wc", "true"} {
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777})
	}
	return &out, w.Close()
}

// realEngine is the machine's container engine.
func realEngine(t *testing.T) *engine.Engine {
	t.Helper()
	if _, err := realImage(); err != nil {
		if os.Getenv("SANDKEEPER_REQUIRE_DOCKER") == "1" {
			t.Fatalf("SANDKEEPER_REQUIRE_DOCKER=1: %v", err)
		}
		t.Skipf("SKIPPED, needs a real container engine and /bin/busybox: %v", err)
	}
	e, state := engine.Dial(t.Context(), engine.Dialing{Env: env.Parse(os.Environ())})
	if e == nil {
		t.Fatalf("the container engine is gone: %s", state.Why)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

var realCount atomic.Int64

// realSandbox makes a container as OpenShell's docker driver would, and removes it after the test.
func realSandbox(t *testing.T, e *engine.Engine, running bool, host *container.HostConfig) sandbox.Sandbox {
	t.Helper()
	ref, err := realImage()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("sk-bk-%d-%d", os.Getpid(), realCount.Add(1))
	if host == nil {
		host = &container.HostConfig{}
	}
	host.NetworkMode = "none"
	made, err := e.Client().ContainerCreate(t.Context(), &container.Config{
		Image: ref, StopSignal: "SIGKILL", Cmd: []string{"/bin/sleep", "100000"}, Env: []string{"API_KEY=very-secret", "PLAIN=x"},
		Labels: map[string]string{engine.LabelManagedBy: "openshell", engine.LabelSandboxName: name, engine.LabelSandboxID: "id-" + name},
	}, host, nil, nil, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(context.Background(), made.ID); err != nil {
			t.Error(err)
		}
	})
	if running {
		if err := e.Start(t.Context(), made.ID); err != nil {
			t.Fatal(err)
		}
	}
	c, err := e.Inspect(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	standing := sandbox.Stopped
	if running {
		standing = sandbox.Ready
	}
	return sandbox.Sandbox{Name: name, Registered: true, Container: &c, Standing: standing, Route: sandbox.ByContainer, ID: c.SandboxID}
}

// entry is one tar entry of a test, short to write.
type entry struct {
	name, body, link string
	kind             byte
	mode             int64
	uid              int
}

func (e entry) header() *tar.Header {
	h := &tar.Header{
		Typeflag: e.kind, Name: e.name, Linkname: e.link, Mode: e.mode, Uid: e.uid, Gid: e.uid, Size: int64(len(e.body)),
		ModTime: time.Unix(1_700_000_000, 0),
	}
	if e.kind == 0 {
		h.Typeflag = tar.TypeReg
	}
	if e.mode == 0 {
		h.Mode = map[byte]int64{tar.TypeDir: 0o755, tar.TypeSymlink: 0o777}[e.kind]
		if h.Mode == 0 {
			h.Mode = 0o644
		}
	}
	return h
}

// tarBytes packs entries; base is put before every name.
func tarBytes(t *testing.T, base string, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := e.header()
		h.Name = filepath.Join(base, e.name)
		if h.Typeflag == tar.TypeLink {
			h.Linkname = filepath.Join(base, e.link)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// oddHome is a home with everything that has ever broken a backup.
func oddHome() []entry {
	long := string(bytes.Repeat([]byte("n"), 180))
	return []entry{
		{name: ".", kind: tar.TypeDir, mode: 0o750, uid: 998},
		{name: "a", body: "hello", uid: 998},
		{name: "a.link", kind: tar.TypeLink, link: "a", uid: 998},
		{name: "big", body: string(bytes.Repeat([]byte("0123456789abcdef"), 300_000)), uid: 998},
		{name: "empty", mode: 0o600, uid: 998},
		{name: "emptydir", kind: tar.TypeDir, mode: 0o700, uid: 998},
		{name: "locked", kind: tar.TypeDir, mode: 0o100},
		{name: "locked/unreadable", body: "root reads it all the same", mode: 0o200},
		{name: long, kind: tar.TypeDir},
		{name: long + "/" + long, body: "long"},
		{name: "odd", kind: tar.TypeDir},
		{name: "odd/-rf", body: "dash"},
		{name: "odd/new\nline", body: "newline"},
		{name: "odd/quote'\"`$(x)", body: "quotes"},
		{name: "odd/späß ☃", body: "utf-8"},
		{name: "odd/\xff\xfe", body: "not utf-8"},
		{name: "out", kind: tar.TypeSymlink, link: "/etc/passwd", uid: 998},
		{name: "setuid", body: "#!", mode: 0o4755, uid: 998},
		{name: "up", kind: tar.TypeSymlink, link: "../../../etc"},
	}
}

func fillHome(t *testing.T, e *engine.Engine, sb sandbox.Sandbox, entries ...entry) {
	t.Helper()
	packed := tarBytes(t, "sandbox", entries...)
	if err := e.Write(t.Context(), sb.Container.ID, "/", bytes.NewReader(packed)); err != nil {
		t.Fatal(err)
	}
}
