package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/test/e2e/gateway"
)

// TestExtensionsStandAroundARecreation: what extensions hold for the sandbox that is gone is released, today's additions are on the new one
// and yesterday's are not, and what an earlier run left is reconciled first. A refusal leaves nothing.
func TestExtensionsStandAroundARecreation(t *testing.T) {
	for _, version := range []string{trueVersion, pairVersion} {
		t.Run(version, func(t *testing.T) {
			h := newRecreateHost(t, version)
			h.saved()
			h.gone()
			h.fleet("prod")
			first := h.recreated()
			h.labelled(first, "prod")
			if p := h.sandkeeper("backup-all", "--only", "alpha"); p.exit != 0 {
				t.Fatalf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			h.gone()
			h.fleet("stage")
			second := h.recreated()
			h.labelled(second, "stage")
			if kept := h.keptFor(); !cmp.Equal(kept, []string{second.ID + " fleet-labels"}) {
				t.Errorf("extensions keep %q, and the sandbox is %s", kept, second.ID)
			}
			h.refusing()
		})
	}
}

// fleet configures the label that every sandbox gets.
func (h *recreateHost) fleet(name string) {
	h.t.Helper()
	h.configure(fmt.Sprintf("[compute]\nextensions = [\"fleet-labels\"]\n[compute.extension.\"fleet-labels\"]\nlabels = { fleet = %q }\n", name))
}

func (h *recreateHost) configure(text string) {
	h.t.Helper()
	path := filepath.Join(h.home, ".config/sandkeeper/config.toml")
	h.must(os.MkdirAll(filepath.Dir(path), 0o700))
	write(h.t, path, text)
}

func (h *recreateHost) recreated() gateway.Sandbox {
	h.t.Helper()
	p := h.recreate()
	if p.exit != 0 {
		h.t.Fatalf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
	if _, there := waitFor(waitLimit, func() bool { return h.now("alpha").Phase == gateway.Ready }); !there {
		h.t.Errorf("it said\n%s\n%s", p.stdout, p.stderr)
	}
	return h.reaches("alpha", gateway.Ready)
}

// labelled asserts the labels of a sandbox and of its container.
func (h *recreateHost) labelled(s gateway.Sandbox, fleet string) {
	h.t.Helper()
	if diff := cmp.Diff(map[string]string{"team": "red", "fleet": fleet}, s.Labels); diff != "" {
		h.t.Errorf("labels (-want +got):\n%s", diff)
	}
	seen, err := h.engine.client.ContainerInspect(h.t.Context(), h.workload(s))
	if h.must(err); seen.Config.Labels["fleet"] != fleet {
		h.t.Errorf("the container's label is %q, want %q", seen.Config.Labels["fleet"], fleet)
	}
}

// keptFor are the ids and extensions that something is kept for.
func (h *recreateHost) keptFor() (kept []string) {
	h.t.Helper()
	p := h.text("extensions", "state", "--json")
	var d struct {
		Result struct {
			States []struct {
				Sandbox   struct{ ID string }
				Extension string
			}
		}
	}
	h.must(json.Unmarshal([]byte(p.stdout), &d))
	for _, s := range d.Result.States {
		kept = append(kept, s.Sandbox.ID+" "+s.Extension)
	}
	return kept
}

// refusing has an extension that is linked into a downstream refuse the creation.
func (h *recreateHost) refusing() {
	h.t.Helper()
	h.gone()
	h.configure("[compute]\nextensions = [\"fleet-labels\", \"always-refuses\"]\n[compute.extension.\"fleet-labels\"]\nlabels = { fleet = \"prod\" }\n")
	h.tell()
	p := run(h.t, h.env, filepath.Join(os.Getenv(programs), "sandkeeper-downstream"), "restore", "alpha", "--recreate", "--settle", "300ms", "--backup-dir", h.root)
	if p.exit != 1 || !strings.Contains(p.stderr, `extension "always-refuses"`) || h.now("alpha").ID != "" {
		h.t.Errorf("refused: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
	if kept := h.keptFor(); len(kept) > 0 {
		h.t.Errorf("extensions keep %q", kept)
	}
	left, err := filepath.Glob(filepath.Join(h.home, ".local/state/sandkeeper/recreating/*.json"))
	if h.must(err); len(left) > 0 {
		h.t.Errorf("left in the journal: %q", left)
	}
}
