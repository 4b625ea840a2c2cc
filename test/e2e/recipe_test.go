package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/test/e2e/gateway"
)

// recipeVersions are one or more versions of each generation that makes containers on its host. 0.0.36 and older are not among them:
// their sandboxes are pods in the cluster container, of which no rollback image can be made, so that such an upgrade is refused
// (precondition "container"). What a recipe is on their wire is held in openshell/recipe_test.go.
func recipeVersions() []string { return []string{"0.0.50", "0.0.60", "0.0.92", "0.0.110", "0.1.4"} }

// said is what a CreateSandboxRequest says beside the spec's image, and answered what a Sandbox shows of the same, by the field numbers
// of docs/facts/openshell.md 3.2.
type said struct {
	Spec                string // without template
	Template            string // without image
	Name                string
	Labels, Annotations []string // entries in wire form, sorted
	Workspace           string
}

func saidIn(t *testing.T, spec []byte) said {
	t.Helper()
	return said{Spec: string(without(t, spec, 6)), Template: string(without(t, contentOf(t, spec, 6), 1))}
}

func asked(t *testing.T, version string, request []byte) said {
	t.Helper()
	s := saidIn(t, contentOf(t, request, 1))
	s.Name = string(contentOf(t, request, 2))
	s.Labels, s.Annotations = slices.Sorted(slices.Values(fieldsOf(t, request, 3))), slices.Sorted(slices.Values(fieldsOf(t, request, 4)))
	switch {
	case gateway.GenerationOf(version) == gateway.Timestamps:
		s.Workspace = string(contentOf(t, contentOf(t, request, 7), 1))
	case gateway.Since(version, 88):
		s.Workspace = string(contentOf(t, request, 5))
	}
	return s
}

func answered(t *testing.T, version string, response []byte) said {
	t.Helper()
	sandbox := contentOf(t, response, 1)
	meta := contentOf(t, sandbox, 1)
	s := saidIn(t, contentOf(t, sandbox, 2))
	s.Name = string(contentOf(t, meta, 2))
	s.Labels, s.Annotations = slices.Sorted(slices.Values(fieldsOf(t, meta, 4))), slices.Sorted(slices.Values(fieldsOf(t, meta, 6)))
	if gateway.Since(version, 88) {
		s.Workspace = string(contentOf(t, meta, 7))
	}
	return s
}

// TestRecipeSurvivesAnUpgradeOverRealContainers upgrades a sandbox that was made with everything that its gateway's version has words
// for. What the gateway is asked to create is, byte for byte, what it had answered, but for the image.
func TestRecipeSurvivesAnUpgradeOverRealContainers(t *testing.T) {
	t.Parallel()
	for _, version := range recipeVersions() {
		t.Run(version, func(t *testing.T) {
			h := newRecipeHost(t, version)
			h.outcome(h.upgrade(), 0, "upgraded")
			first, created := h.exchanges("GetSandbox")[0], h.exchanges("CreateSandbox")
			if len(created) != 1 {
				t.Fatalf("the gateway was asked %d times to create a sandbox", len(created))
			}
			want := answered(t, version, first.Answer)
			if len(want.Labels) != 2 || len(want.Spec) < 50 || gateway.Since(version, 84) != (len(want.Annotations) == 2) || gateway.Since(version, 88) != (want.Workspace == "team-a") {
				t.Fatalf("the recipe lacks what it should have shown: %+v", want)
			}
			if diff := cmp.Diff(want, asked(t, version, created[0].Request)); diff != "" {
				t.Errorf("asked for another sandbox (-answered +asked):\n%s", diff)
			}
			now := h.exchanges("ListSandboxes") // a list of one is laid out as an answer about one
			if diff := cmp.Diff(want, answered(t, version, now[len(now)-1].Answer)); diff != "" {
				t.Errorf("it is another sandbox (-before +now):\n%s", diff)
			}
			h.shows(version)
		})
	}
}

// shows holds what of the recipe is to be seen on the one container.
func (h *recipeHost) shows(version string) {
	h.t.Helper()
	c, err := h.engine.client.ContainerInspect(h.t.Context(), h.only().ID)
	if err != nil {
		h.t.Fatal(err)
	}
	told := gateway.GenerationOf(version) == gateway.Timestamps // by a file: the workload's own environment has nothing of the agent's
	if c.Image != h.newID || c.Config.Labels["rack"] != "7" || !told && !slices.Contains(c.Config.Env, "MODE=careful") {
		h.t.Errorf("image %s, labels %v, environment %v", c.Image, c.Config.Labels, c.Config.Env)
	}
	bound := func(m container.MountPoint) bool { return m.Source == h.mounted && m.Destination == "/data" && m.RW }
	if gateway.Since(version, 58) != slices.ContainsFunc(c.Mounts, bound) {
		h.t.Errorf("its mounts are %+v", c.Mounts)
	}
}

// TestPolicySetLaterSurvivesAnUpgrade changes the policy of a running sandbox, as `openshell policy set` does: no spec shows that, and
// the new sandbox has it all the same. One that the sandbox could not load is not brought to life.
func TestPolicySetLaterSurvivesAnUpgrade(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"0.0.50", "0.0.110", "0.1.4"} {
		t.Run(version, func(t *testing.T) {
			h := newRecipeHost(t, version)
			two := slices.Concat(protoNumber(1, 1), protoText(900, "policy two"))
			h.records.SetPolicy(h.made.ID, two, gateway.PolicyLoaded)
			h.records.SetPolicy(h.made.ID, protoText(900, "policy three"), gateway.PolicyFailed)
			h.outcome(h.upgrade(), 0, "upgraded")
			spec := contentOf(t, h.exchanges("CreateSandbox")[0].Request, 1)
			if got := contentOf(t, spec, 7); string(got) != string(two) {
				t.Errorf("it was asked for with policy %q, want %q", got, two)
			}
			before := without(t, without(t, h.everything(), 7), 6)
			if got := without(t, without(t, spec, 7), 6); string(got) != string(before) {
				t.Errorf("the rest of the spec is %q, want %q", got, before)
			}
		})
	}
}

// TestProviderThatIsGone refuses the upgrade before anything is touched, and names the provider. The gateway itself would refuse the
// creation, when the old sandbox is gone already.
func TestProviderThatIsGone(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"0.0.50", "0.0.110", "0.1.4"} {
		t.Run(version, func(t *testing.T) {
			h := newRecipeHost(t, version)
			h.records.RemoveProvider("github")
			before := h.only()
			got := h.upgrade()
			if got.ExitCode != 1 || got.Result == nil || len(got.Result.Sandboxes) != 1 {
				t.Fatalf("upgrade: exit %d, error %+v, result %+v", got.ExitCode, got.Error, got.Result)
			}
			if s := got.Result.Sandboxes[0]; s.Step != "preconditions" || s.Backup != "" || !strings.Contains(s.Reason, "has no provider github any more") {
				t.Errorf("%+v", s)
			}
			if now := h.only(); now.ID != before.ID || now.State != "running" || now.Status[:2] != before.Status[:2] {
				t.Errorf("container %+v became %+v", before, now)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			for _, x := range h.heard {
				if !slices.Contains(readingCalls(), x.Method) {
					t.Errorf("the gateway was asked for %s", x.Method)
				}
			}
		})
	}
}

// readingCalls are the RPCs that change nothing.
func readingCalls() []string {
	return []string{
		"Health", "GetGatewayInfo", "ListSandboxes", "GetSandbox", "ListProviders", "GetProvider", "GetSandboxPolicyStatus",
		"GetSandboxConfig", "GetGatewayConfig", "ListSandboxPolicies", "ListSandboxProviders", "ListServices",
	}
}
