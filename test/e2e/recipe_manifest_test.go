package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keptRecipe is the recipe in a manifest.
type keptRecipe struct {
	Labels         map[string]string
	Env, Providers []string
	Policy         struct{ Protobuf []byte }
	Untold         string
}

// saves makes a backup of the host's sandbox and returns what `backups show` then says of its recipe, as data and as text.
func (h *recipeHost) saves(args ...string) (keptRecipe, string) {
	h.t.Helper()
	root := filepath.Join(h.t.TempDir(), "backups")
	got := h.document(append([]string{"backup-all", "--backup-dir", root, "--only", h.name}, args...)...)
	if got.ExitCode != 0 || got.Result == nil || got.Result.Totals["backedUp"] != 1 {
		h.t.Fatalf("backup-all: exit %d, error %+v, result %+v", got.ExitCode, got.Error, got.Result)
	}
	p := h.text("backups", "show", h.name, "--backup-dir", root, "--json")
	var shown struct {
		Result struct{ Manifest struct{ Recipe keptRecipe } }
	}
	if err := json.Unmarshal([]byte(p.stdout), &shown); err != nil {
		h.t.Fatalf("%v\n%s", err, p.stdout)
	}
	if strings.Contains(p.stdout, "careful") {
		h.t.Error("the manifest has a value of the environment in it")
	}
	return shown.Result.Manifest.Recipe, h.text("backups", "show", h.name, "--backup-dir", root).stdout
}

// TestBackupKeepsTheRecipe holds what a plain backup-all keeps of a sandbox's making: what its gateway tells over its API, with the
// policy in force, and no value of the environment. Offline nobody is asked, and a gateway that is gone costs only this.
func TestBackupKeepsTheRecipe(t *testing.T) {
	h := newRecipeHost(t, "0.0.110")
	two := protoText(900, "policy two")
	h.records.SetPolicy(h.made.ID, two, 2)
	kept, text := h.saves()
	if diff := cmp.Diff([]string{"nvidia-prod", "github"}, kept.Providers); diff != "" || string(kept.Policy.Protobuf) != string(two) || kept.Untold != "" {
		t.Errorf("%+v, providers (-want +got):\n%s", kept, diff)
	}
	if !slices.Contains(kept.Env, "MODE") || !slices.Contains(kept.Env, "EMPTY") || kept.Labels["team"] != "red" || kept.Labels["rack"] != "7" {
		t.Errorf("%+v", kept)
	}
	for _, want := range []string{"providers", "nvidia-prod, github", "policy", "kept, as its gateway encodes it", "environment", "MODE"} {
		if !strings.Contains(text, want) {
			t.Errorf("backups show lacks %q:\n%s", want, text)
		}
	}
	t.Logf("\n%s", text)

	h.mu.Lock()
	before := len(h.heard)
	h.mu.Unlock()
	kept, _ = h.saves("--offline")
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.heard) != before {
		t.Errorf("--offline asked the gateway %v", h.heard[before:])
	}
	if kept.Providers != nil || kept.Policy.Protobuf != nil || kept.Untold != "" || !slices.Contains(kept.Env, "MODE") || kept.Labels["rack"] != "7" {
		t.Errorf("offline: %+v", kept)
	}
}
