package dockertest_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/dockertest"
)

// born is the time of every file in the container under test.
var born = time.Date(2026, 10, 1, 8, 30, 0, 0, time.UTC)

// files are what the container under test holds below /sandbox.
var files = []dockertest.File{
	{Path: "/sandbox", Type: tar.TypeDir, Mode: 0o750, ModTime: born},
	{Path: "/sandbox/notes.md", Mode: 0o640, UID: 998, GID: 997, Data: []byte("# notes\n"), ModTime: born},
	{Path: "/sandbox/.openclaw", Type: tar.TypeDir, Mode: 0o700, ModTime: born},
	{Path: "/sandbox/.openclaw/openclaw.json", Mode: 0o600, Data: []byte("{}"), ModTime: born},
	{Path: "/sandbox/link", Type: tar.TypeSymlink, Link: "notes.md", ModTime: born},
	{Path: "/sandbox/out", Type: tar.TypeSymlink, Link: "/etc/passwd", ModTime: born},
	{Path: "/sandbox/twin", Type: tar.TypeLink, Link: "/sandbox/notes.md", Mode: 0o640, UID: 998, GID: 997, ModTime: born},
}

func TestContract(t *testing.T) {
	for _, backend := range []struct {
		name string
		make func(*testing.T) engine
	}{{"fake", onFake}, {"real", onReal}} {
		t.Run(backend.name, func(t *testing.T) {
			for _, promise := range promises {
				t.Run(promise.name, func(t *testing.T) {
					t.Parallel()
					if got := promise.look(t, backend.make(t)); got != promise.want {
						t.Errorf("got  %s\nwant %s\n%s", got, promise.want, cmp.Diff(promise.want, got))
					}
				})
			}
		})
	}
}

// promises are what sandkeeper relies on, each as one line that both daemons must give.
var promises = []struct {
	name string
	look func(*testing.T, engine) string
	want string
}{
	{"ping names an API version", func(t *testing.T, e engine) string {
		ping, err := e.Ping(t.Context())
		return fmt.Sprint(ping.APIVersion != "", err)
	}, "true <nil>"},
	{"info names the daemon, and the same one twice", func(t *testing.T, e engine) string {
		one, err := e.Info(t.Context())
		two, again := e.Info(t.Context())
		version, unknown := e.ServerVersion(t.Context())
		return fmt.Sprint(one.ID != "" && one.ID == two.ID && one.DockerRootDir != "", version.Components[0].Name, err, again, unknown)
	}, "trueEngine<nil> <nil> <nil>"},
	{"list by label, stopped ones only with all", func(t *testing.T, e engine) string {
		stop(t, e)
		return listed(t, e, false) + " " + listed(t, e, true)
	}, "[] [exited]"},
	{"list and inspect agree", func(t *testing.T, e engine) string {
		inspected, err := e.ContainerInspect(t.Context(), e.id)
		return fmt.Sprint(listed(t, e, true), inspected.State.Status, inspected.State.Running, strings.HasPrefix(inspected.Name, "/"), err)
	}, "[running]runningtrue true <nil>"},
	{"inspect of nothing is not found", func(t *testing.T, e engine) string {
		_, err := e.ContainerInspect(t.Context(), "sandkeeper-no-such")
		return fmt.Sprint(errdefs.IsNotFound(err))
	}, "true"},
	{"pause twice, unpause twice", func(t *testing.T, e engine) string {
		first, second := e.ContainerPause(t.Context(), e.id), e.ContainerPause(t.Context(), e.id)
		state := listed(t, e, false)
		third, fourth := e.ContainerUnpause(t.Context(), e.id), e.ContainerUnpause(t.Context(), e.id)
		return fmt.Sprint(first, errdefs.IsConflict(second), state, third, fourth != nil)
	}, "<nil> true[paused]<nil> true"},
	{"stop and start twice are no error", func(t *testing.T, e engine) string {
		stop(t, e)
		stop(t, e)
		return fmt.Sprint(e.ContainerStart(t.Context(), e.id, container.StartOptions{}), e.ContainerStart(t.Context(), e.id, container.StartOptions{}))
	}, "<nil> <nil>"},
	{"a running container is removed with force only", func(t *testing.T, e engine) string {
		gently := e.ContainerRemove(t.Context(), e.id, container.RemoveOptions{})
		forced := e.ContainerRemove(t.Context(), e.id, container.RemoveOptions{Force: true})
		again := e.ContainerRemove(t.Context(), e.id, container.RemoveOptions{Force: true})
		return fmt.Sprint(errdefs.IsConflict(gently), forced, errdefs.IsNotFound(again))
	}, "true <nil> true"},
	{"exec gives both streams and the exit status", func(t *testing.T, e engine) string {
		return run(t, e, "/bin/busybox", "sh", "-c", "echo out; echo err >&2; exit 3")
	}, `"out\n" "err\n" 3`},
	{"exec in a paused container conflicts", func(t *testing.T, e engine) string {
		if err := e.ContainerPause(t.Context(), e.id); err != nil {
			t.Fatal(err)
		}
		_, err := e.ContainerExecCreate(t.Context(), e.id, container.ExecOptions{Cmd: []string{"/bin/busybox", "true"}})
		return fmt.Sprint(errdefs.IsConflict(err))
	}, "true"},
	{
		"archive of a folder", func(t *testing.T, e engine) string { return archive(t, e, "/sandbox") },
		"sandbox:dir " +
			"[sandbox/ 5 40750 0:0 | sandbox/.openclaw/ 5 40700 0:0 | sandbox/.openclaw/openclaw.json 0 100600 0:0 2 | " +
			"sandbox/link 2 120777 0:0 notes.md | sandbox/notes.md 0 100640 998:997 8 | sandbox/out 2 120777 0:0 /etc/passwd | " +
			"sandbox/twin 1 100640 998:997 sandbox/notes.md] 2026-10-01T08:30:00Z",
	},
	{
		"archive of a folder below", func(t *testing.T, e engine) string { return archive(t, e, "/sandbox/.openclaw") },
		".openclaw:dir [.openclaw/ 5 40700 0:0 | .openclaw/openclaw.json 0 100600 0:0 2] 2026-10-01T08:30:00Z",
	},
	{
		"archive of a file", func(t *testing.T, e engine) string { return archive(t, e, "/sandbox/.openclaw/openclaw.json") },
		"openclaw.json:file [openclaw.json 0 100600 0:0 2] 2026-10-01T08:30:00Z",
	},
	{
		"archive does not follow the link it is asked for", func(t *testing.T, e engine) string { return archive(t, e, "/sandbox/link") },
		"link:link→/sandbox/notes.md [link 2 120777 0:0 notes.md] 2026-10-01T08:30:00Z",
	},
	{"archive of a paused container", func(t *testing.T, e engine) string {
		if err := e.ContainerPause(t.Context(), e.id); err != nil {
			t.Fatal(err)
		}
		return archive(t, e, "/sandbox/.openclaw/openclaw.json")
	}, "openclaw.json:file [openclaw.json 0 100600 0:0 2] 2026-10-01T08:30:00Z"},
	{"archive of nothing is not found", func(t *testing.T, e engine) string {
		_, _, err := e.CopyFromContainer(t.Context(), e.id, "/sandbox/no-such")
		_, statErr := e.ContainerStatPath(t.Context(), e.id, "/sandbox/no-such")
		return fmt.Sprint(errdefs.IsNotFound(err), errdefs.IsNotFound(statErr))
	}, "true true"},
	{"a tar that is put comes back", func(t *testing.T, e engine) string {
		put := pack(t, []dockertest.File{{Path: "/new.txt", Type: tar.TypeReg, Mode: 0o604, UID: 7, GID: 8, Data: []byte("abc"), ModTime: born}})
		if err := e.CopyToContainer(t.Context(), e.id, "/sandbox/.openclaw", put, container.CopyToContainerOptions{CopyUIDGID: true}); err != nil {
			t.Fatal(err)
		}
		return archive(t, e, "/sandbox/.openclaw/new.txt")
	}, "new.txt:file [new.txt 0 100604 7:8 3] 2026-10-01T08:30:00Z"},
	{"put into no folder is not found", func(t *testing.T, e engine) string {
		err := e.CopyToContainer(t.Context(), e.id, "/no-such", pack(t, nil), container.CopyToContainerOptions{})
		return fmt.Sprint(errdefs.IsNotFound(err))
	}, "true"},
	{"commit makes an image that can be removed", func(t *testing.T, e engine) string {
		ref := fmt.Sprintf("sandkeeper-contract-commit-%d:1", time.Now().UnixNano())
		made, err := e.ContainerCommit(t.Context(), e.id, container.CommitOptions{Reference: ref})
		if err != nil {
			t.Fatal(err)
		}
		inspected, err := e.ImageInspect(t.Context(), ref)
		_, removeErr := e.ImageRemove(t.Context(), ref, image.RemoveOptions{})
		_, goneErr := e.ImageInspect(t.Context(), ref)
		return fmt.Sprint(inspected.ID == made.ID, err, removeErr, errdefs.IsNotFound(goneErr))
	}, "true <nil> <nil> true"},
}

func stop(t *testing.T, e engine) {
	t.Helper()
	now := 0
	if err := e.ContainerStop(t.Context(), e.id, container.StopOptions{Timeout: &now}); err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, e engine, all bool) string {
	t.Helper()
	list, err := e.ContainerList(t.Context(), container.ListOptions{All: all, Filters: filters.NewArgs(filters.Arg("label", e.label))})
	if err != nil {
		t.Fatal(err)
	}
	states := []string{}
	for _, c := range list {
		states = append(states, string(c.State))
	}
	return fmt.Sprint(states)
}

func run(t *testing.T, e engine, argv ...string) string {
	t.Helper()
	made, err := e.ContainerExecCreate(t.Context(), e.id, container.ExecOptions{Cmd: argv, AttachStdout: true, AttachStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	attached, err := e.ContainerExecAttach(t.Context(), made.ID, container.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	var stdout, stderr bytes.Buffer
	if _, err := stdcopy.StdCopy(&stdout, &stderr, attached.Reader); err != nil {
		t.Fatal(err)
	}
	inspected, err := e.ContainerExecInspect(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%q %q %d", stdout.String(), stderr.String(), inspected.ExitCode)
}

// archive is one line: what the stat header says, every entry of the tar sorted by name, and the time of the first.
func archive(t *testing.T, e engine, path string) string {
	t.Helper()
	body, stat, err := e.CopyFromContainer(t.Context(), e.id, path)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	kind := "file"
	switch {
	case stat.Mode.IsDir():
		kind = "dir"
	case stat.LinkTarget != "":
		kind = "link→" + stat.LinkTarget
	}
	var entries []string
	var first time.Time
	for reader := tar.NewReader(body); ; {
		h, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if first.IsZero() {
			first = h.ModTime
		}
		entries = append(entries, entryLine(h))
	}
	slices.Sort(entries)
	return fmt.Sprintf("%s:%s [%s] %s", stat.Name, kind, strings.Join(entries, " | "), first.UTC().Format(time.RFC3339))
}

func entryLine(h *tar.Header) string {
	line := fmt.Sprintf("%s %c %o %d:%d", h.Name, h.Typeflag, h.Mode, h.Uid, h.Gid)
	switch {
	case h.Linkname != "":
		line += " " + h.Linkname
	case h.Typeflag == tar.TypeReg:
		line += fmt.Sprintf(" %d", h.Size)
	}
	return line
}
