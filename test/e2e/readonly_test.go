package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// tree is everything below a folder: of each entry its kind, mode, owner, size, times of change and content. The change time of the inode
// tells also of a write that was taken back.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var stat unix.Stat_t // that of syscall has other names on other systems
		if err := unix.Lstat(path, &stat); err != nil {
			return err
		}
		content := ""
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(b)
		case info.Mode()&fs.ModeSymlink != 0:
			content, _ = os.Readlink(path)
		}
		found[path] = fmt.Sprintf("%v %d:%d links %d size %d modified %v changed %v %q",
			info.Mode(), stat.Uid, stat.Gid, stat.Nlink, info.Size(), info.ModTime(), stat.Ctim, content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// engineState is what the container engine has of the sandbox: containers with all that an inspect shows, and images.
func (h *recipeHost) engineState() map[string]string {
	h.t.Helper()
	state := map[string]string{}
	for _, c := range h.containers() {
		seen, err := h.engine.client.ContainerInspect(h.t.Context(), c.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		slices.SortFunc(seen.Mounts, func(a, b container.MountPoint) int { // the engine shows them in any order
			return strings.Compare(a.Destination, b.Destination)
		})
		text, err := json.Marshal(seen)
		if err != nil {
			h.t.Fatal(err)
		}
		changes, err := h.engine.client.ContainerDiff(h.t.Context(), c.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		slices.SortFunc(changes, func(a, b container.FilesystemChange) int { return strings.Compare(a.Path, b.Path) })
		state[c.ID] = string(text) + fmt.Sprint(changes)
	}
	for _, reference := range []string{h.image, "sandkeeper-rollback/" + h.name} {
		found, err := h.engine.client.ImageList(h.t.Context(), image.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("reference", reference))})
		if err != nil {
			h.t.Fatal(err)
		}
		for _, i := range found {
			state[reference] += i.ID + " "
		}
	}
	return state
}

// TestLookingChangesNothing holds what --check and --dry-run promise, over real containers and with everything there that could be
// written to: not one file of the home, no container, no image, and no call to the gateway that is not a read.
func TestLookingChangesNothing(t *testing.T) {
	for _, version := range []string{"0.0.50", "0.0.110"} {
		for _, state := range []string{"running", "exited"} {
			t.Run(version+"/"+state, func(t *testing.T) {
				h := newRecipeHost(t, version)
				h.withStateToSpoil()
				if state == "exited" {
					h.engine.stop(h.only().ID)
				}
				h.unchangedBy(4, "upgrade-sandboxes", "--check")
				h.unchangedBy(4, "upgrade-sandboxes", "--check", "--only", h.name, "--json")
				h.unchangedBy(0, "backup-all", "--dry-run")
				h.unchangedBy(0, "backup-all", "--dry-run", "--offline", "--only", h.name, "--json")
			})
		}
	}
}

// withStateToSpoil gives the home a registry, a backup of the sandbox, an extension with a state of its own, and a configuration.
func (h *recipeHost) withStateToSpoil() {
	h.t.Helper()
	h.registry(h.name)
	if got := h.document("backup-all", "--only", h.name); got.ExitCode != 0 {
		h.t.Fatalf("backup-all: exit %d, %+v", got.ExitCode, got.Error)
	}
	h.activate("fleet-labels", "workload-identity")
	if p := h.text("extensions", "reconcile"); p.exit != 0 {
		h.t.Fatalf("extensions reconcile: exit %d\n%s", p.exit, p.stderr)
	}
}

func (h *recipeHost) unchangedBy(exit int, args ...string) {
	h.t.Helper()
	h.mu.Lock()
	h.heard = nil
	h.mu.Unlock()
	files, config, engine := tree(h.t, h.home), tree(h.t, h.config()), h.engineState()
	p := h.text(args...)
	if p.exit != exit {
		h.t.Errorf("%q: exit %d, want %d\n%s\n%s", args, p.exit, exit, p.stdout, p.stderr)
	}
	for what, diff := range map[string]string{
		"home": cmp.Diff(files, tree(h.t, h.home)), "configuration": cmp.Diff(config, tree(h.t, h.config())), "engine": cmp.Diff(engine, h.engineState()),
	} {
		if diff != "" {
			h.t.Errorf("%q changed the %s (-before +after):\n%s", args, what, diff)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var asked []string
	for _, x := range h.heard {
		asked = append(asked, x.Method)
		if !slices.Contains(readingCalls(), x.Method) {
			h.t.Errorf("%q asked the gateway for %s", args, x.Method)
		}
	}
	h.t.Logf("%s: exit %d; %d files, the gateway was asked for %v", strings.Join(args, " "), p.exit, len(files), asked)
}
