package backup

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"
	"sandkeeper/sandbox"
)

// realContainer makes a container with the labels of sandbox name, of whatever role, and removes it after the test.
func realContainer(t *testing.T, e *engine.Engine, name, role string, config container.Config) string {
	t.Helper()
	config.Labels = map[string]string{
		engine.LabelManagedBy: "openshell", engine.LabelSandboxName: name, engine.LabelSandboxID: "id-" + name, engine.LabelNamespace: "sk-home",
	}
	if role != "" {
		config.Labels[engine.LabelRole] = role
	}
	made, err := e.Client().ContainerCreate(t.Context(), &config, &container.HostConfig{NetworkMode: "none"}, nil, nil, "sk-home-"+name+"-"+role)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(context.Background(), made.ID); err != nil {
			t.Error(err)
		}
	})
	return made.ID
}

// imageWithWorkdir is the test image with another WORKDIR.
func imageWithWorkdir(t *testing.T, e *engine.Engine, ref, dir string) string {
	t.Helper()
	id := realContainer(t, e, "image", "", container.Config{Image: "sk-bk-test:busybox", Cmd: []string{"/bin/true"}})
	made, err := e.Client().ContainerCommit(t.Context(), id, container.CommitOptions{Reference: ref, Changes: []string{"WORKDIR " + dir}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.RemoveImage(context.Background(), ref) })
	return made.ID
}

// TestHomeOfRealSandboxes saves sandboxes whose home is not /sandbox, as OpenShell 0.0.110 and 0.1.x make them, whole, and leaves
// their companions alone.
func TestHomeOfRealSandboxes(t *testing.T) {
	e := backuptest.RealEngine(t)
	app := imageWithWorkdir(t, e, fmt.Sprintf("sk-home-%d:app", os.Getpid()), "/app")
	name := fmt.Sprintf("h%d", os.Getpid())
	supervisor := []string{"/openshell-supervisor", "--workdir", "/srv/agent"}

	workloads := map[string]string{
		"/app":       realContainer(t, e, name+"-stopped", "sandbox", container.Config{Image: app, WorkingDir: "/", Cmd: []string{"/bin/sleep", "9"}}),
		"/srv/agent": realContainer(t, e, name+"-pair", "sandbox", container.Config{Image: app, WorkingDir: "/", Cmd: []string{"/bin/sleep", "9999"}, StopSignal: "SIGKILL"}),
		"/work": realContainer(t, e, name+"-old", "", container.Config{
			Image: "sk-bk-test:busybox", Entrypoint: []string{"/opt/openshell/bin/openshell-sandbox", "--workdir", "/work"},
		}),
	}
	companion := realContainer(t, e, name+"-pair", "supervisor", container.Config{Image: app, Entrypoint: supervisor[:1], Cmd: supervisor[1:]})
	for home, id := range workloads {
		packed := backuptest.TarBytes(t, strings.TrimPrefix(home, "/"), backuptest.Entry{Name: ".", Kind: '5', Uid: 998}, backuptest.Entry{Name: "notes.md", Body: "memory of " + home, Uid: 998})
		if err := e.Write(t.Context(), id, "/", bytes.NewReader(packed)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Start(t.Context(), workloads["/srv/agent"]); err != nil {
		t.Fatal(err)
	}

	began := time.Now()
	inventory, err := sandbox.Take(t.Context(), sandbox.Sources{Offline: true, Containers: func(ctx context.Context) (mine []engine.Container, err error) {
		all, err := e.Sandboxes(ctx)
		for _, c := range all {
			if strings.HasPrefix(c.SandboxName, name) {
				mine = append(mine, c)
			}
		}
		return mine, err
	}})
	if err != nil || len(inventory.Sandboxes) != 3 {
		t.Fatalf("%d sandboxes, %v", len(inventory.Sandboxes), err)
	}
	r := realRun(t, e)
	summary, err := r.All(t.Context(), inventory)
	if err != nil || summary.Totals.BackedUp != 3 {
		t.Fatalf("%+v, %v", summary, err)
	}
	for _, o := range summary.Sandboxes {
		b, err := r.Store.Find(o.Name, o.Backup.ID)
		if err != nil {
			t.Fatal(err)
		}
		home, content := b.Manifest.Home, storetest.ContentOf(t, r.Store, b)
		if i := len(content) - 1; i < 0 || content[i].Body != "memory of "+home || workloads[home] == "" {
			t.Errorf("%s: home %q holds %+v", o.Name, home, content)
		}
	}
	if eventsOf(t, e, workloads["/srv/agent"], began) == nil {
		t.Error("the engine does not say what was done with a container")
	}
	if touched := eventsOf(t, e, companion, began); len(touched) > 0 {
		t.Errorf("the companion was touched: %v", touched)
	}
}

// eventsOf is what an engine did with a container since then.
func eventsOf(t *testing.T, e *engine.Engine, id string, since time.Time) (actions []string) {
	t.Helper()
	now := time.Now()
	messages, errs := e.Client().Events(t.Context(), events.ListOptions{
		Since: fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()), Until: fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond()),
		Filters: filters.NewArgs(filters.Arg("container", id)),
	})
	for {
		select {
		case m := <-messages:
			actions = append(actions, string(m.Action))
		case <-errs:
			return actions
		}
	}
}
