package engine

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
)

// openshellMade is a container as OpenShell's docker driver makes it (recordings of OpenShell 0.0.110, inspect-alpha.json): user 0, its own
// entrypoint and environment, the image by its id. It has run, and holds /work/kept.
func openshellMade(t *testing.T, e *Engine, original string) (name string) {
	t.Helper()
	id, err := e.ImageID(t.Context(), original)
	if err != nil {
		t.Fatal(err)
	}
	name = strings.ReplaceAll(original, ":", "-") + "-made"
	_, err = e.Client().ContainerCreate(t.Context(), &container.Config{
		Image: id, User: "0", WorkingDir: "/", Entrypoint: []string{"/bin/busybox", "sh", "-c"},
		Cmd: []string{"/bin/busybox mkdir -p /work /.openshell/runtime; echo its > /.openshell/runtime/openshell-sandbox; echo all of it > /work/kept; exec /bin/busybox sleep 600"},
		Env: []string{"OPENSHELL_SANDBOX=alpha", "OPENSHELL_OCI_IMAGE_USER=1000", "TERM=xterm"}, Labels: map[string]string{
			LabelManagedBy: "openshell", LabelSandboxName: name, LabelSandboxID: "e770f5d3", LabelRole: "sandbox",
		},
	}, &container.HostConfig{NetworkMode: "none"}, nil, nil, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Remove(context.Background(), name) })
	if err := e.Start(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, exit, err := e.Exec(t.Context(), name, []string{"/bin/busybox", "grep", "-q", "all of it", "/work/kept"}); err == nil && exit == 0 {
			return name
		}
	}
	t.Fatal("the container has not written its file")
	return ""
}

// originalImage is an image with a configuration of its own, and is removed when t ends.
func originalImage(t *testing.T, e *Engine, base string) string {
	t.Helper()
	ref := base + "-original:1"
	_, err := e.Client().ContainerCommit(t.Context(), base, container.CommitOptions{Reference: ref, Changes: []string{
		"USER 1000:1000", "WORKDIR /work", `ENTRYPOINT ["/bin/busybox"]`, `CMD ["sleep","60"]`, "ENV COLOUR=red", `LABEL team="red"`,
		`LABEL openshell.ai/managed-by=""`, `LABEL openshell.ai/sandbox-name=""`,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.RemoveImage(context.Background(), ref) })
	return ref
}

func TestAKeptImageHasTheConfigurationOfItsOriginal(t *testing.T) {
	e, base := realEngine(t)
	original := originalImage(t, e, base)
	made := openshellMade(t, e, original)
	kept := base + "-kept:1"
	if _, err := e.Commit(t.Context(), made, kept, Keep{Labels: map[string]string{"io.sandkeeper.rollback-of": original}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.RemoveImage(context.Background(), kept) })
	hasOriginalConfig(t, e, original, kept)
	holdsWhatWasWritten(t, e, kept)
}

// TestTheWholeArchiveServesAnEngineThatTakesNoDescriptionAlone loads what an engine would be given that does not know its layers again.
func TestTheWholeArchiveServesAnEngineThatTakesNoDescriptionAlone(t *testing.T) {
	e, base := realEngine(t)
	original := originalImage(t, e, base)
	made := openshellMade(t, e, original)
	kept := base + "-kept:1"
	answer, err := e.Client().ContainerCommit(t.Context(), made, container.CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.RemoveImage(context.Background(), answer.ID) })
	committed, err := e.imageSource(t.Context(), answer.ID)
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.imageSource(t.Context(), original)
	if err != nil {
		t.Fatal(err)
	}
	committed.Config = want.Config
	committed.Config["Labels"] = keptLabels(want.Config["Labels"], map[string]string{"io.sandkeeper.rollback-of": original})
	top, err := e.top(t.Context(), Container{ID: made, Labels: map[string]string{LabelRole: "sandbox"}}, Keep{})
	if err != nil {
		t.Fatal(err)
	}
	committed = committed.under(top)
	whole := func() (io.ReadCloser, error) { return e.saveAs(t.Context(), kept, committed) }
	if _, err := e.loadAs(t.Context(), kept, committed, whole); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.RemoveImage(context.Background(), kept) })
	hasOriginalConfig(t, e, original, kept)
	holdsWhatWasWritten(t, e, kept)
}

func hasOriginalConfig(t *testing.T, e *Engine, original, kept string) {
	t.Helper()
	want, err := e.imageSource(t.Context(), original)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.imageSource(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	want.Config["Labels"] = map[string]any{"team": "red", "io.sandkeeper.rollback-of": original}
	if diff := cmp.Diff(want.Config, got.Config); diff != "" {
		t.Errorf("configuration of the kept image (-original +kept):\n%s", diff)
	}
	if want.Config["User"] != "1000:1000" || want.Config["WorkingDir"] != "/work" {
		t.Errorf("the original has none to keep: %v", want.Config)
	}
}

// TestAnEmptiedFolderIsEmpty: a throw-away image has the home itself, with its owner and mode, and nothing of what is in it.
func TestAnEmptiedFolderIsEmpty(t *testing.T) {
	e, base := realEngine(t)
	original := originalImage(t, e, base)
	made := openshellMade(t, e, original)
	if _, _, err := e.Exec(t.Context(), made, []string{"/bin/busybox", "sh", "-c", "/bin/busybox mkdir -p /work/deep/home; echo x > /work/deep/home/secret; /bin/busybox chown 7:8 /work/deep/home; /bin/busybox chmod 750 /work/deep/home"}); err != nil {
		t.Fatal(err)
	}
	kept := base + "-emptied:1"
	if _, err := e.Commit(t.Context(), made, kept, Keep{Emptied: "/work/deep/home"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.RemoveImage(context.Background(), kept) })
	name := holdsWhatWasWritten(t, e, kept)
	out, _, err := e.Exec(t.Context(), name, []string{"/bin/busybox", "sh", "-c", "/bin/busybox stat -c %u:%g:%a /work/deep/home; /bin/busybox ls -A /work/deep/home"})
	if string(out) != "7:8:750\n" || err != nil {
		t.Errorf("the folder is %q, %v", out, err)
	}
	if _, err := e.Commit(t.Context(), made, kept, Keep{Emptied: "/not/there"}); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// holdsWhatWasWritten holds that a container of the image has what was written, and nothing of OpenShell's own, and answers its name.
func holdsWhatWasWritten(t *testing.T, e *Engine, image string) string {
	t.Helper()
	name := fmt.Sprintf("%s-look", strings.ReplaceAll(image, ":", "-"))
	_, err := e.Client().ContainerCreate(t.Context(), &container.Config{Image: image}, &container.HostConfig{NetworkMode: "none"}, nil, nil, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Remove(context.Background(), name) })
	if err := e.Start(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	out, exit, err := e.Exec(t.Context(), name, []string{"/bin/busybox", "cat", "/work/kept"})
	if string(out) != "all of it\n" || exit != 0 || err != nil {
		t.Errorf("what the container had written: %q, %d, %v", out, exit, err)
	}
	if out, exit, err := e.Exec(t.Context(), name, []string{"/bin/busybox", "ls", "/.openshell"}); exit == 0 || err != nil {
		t.Errorf("it holds OpenShell's own: %q, %v", out, err)
	}
	return name
}
