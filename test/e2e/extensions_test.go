package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"
)

const (
	sandboxRole = "arn:aws:iam::123456789012:role/openshell-sandbox"
	tokenTarget = "/run/identity"
)

// activate makes the token that workload-identity mounts, and a config.toml with the extensions in that order.
func (u *upgradeHost) activate(names ...string) (tokens string) {
	u.t.Helper()
	tokens = u.t.TempDir()
	write(u.t, filepath.Join(tokens, "token"), "made up")
	list, err := json.Marshal(names)
	if err != nil {
		u.t.Fatal(err)
	}
	text := fmt.Sprintf("[compute]\nextensions = %s\n", list)
	for _, name := range names {
		text += map[string]string{
			"fleet-labels":      "[compute.extension.\"fleet-labels\"]\nlabels = { fleet = \"prod\", region = \"us-west\" }\n",
			"workload-identity": fmt.Sprintf("[compute.extension.\"workload-identity\"]\nprovider = \"aws\"\nrole_arn = %q\ntoken_source = %q\ntoken_target = %q\n", sandboxRole, tokens, tokenTarget),
			"refuses-once":      fmt.Sprintf("[compute.extension.\"refuses-once\"]\nmarker = %q\n", filepath.Join(tokens, "refused")),
		}[name]
	}
	dir := filepath.Join(u.config(), "sandkeeper")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		u.t.Fatal(err)
	}
	write(u.t, filepath.Join(dir, "config.toml"), text)
	return tokens
}

// config is the XDG_CONFIG_HOME of the host.
func (u *upgradeHost) config() string {
	for _, pair := range u.env {
		if home, ok := strings.CutPrefix(pair, "XDG_CONFIG_HOME="); ok {
			return home
		}
	}
	u.t.Fatal("the host has no XDG_CONFIG_HOME")
	return ""
}

// downstream runs a command of the program that links more extensions.
func (u *upgradeHost) downstream(args ...string) printed {
	u.t.Helper()
	return run(u.t, u.env, append([]string{filepath.Join(os.Getenv(programs), "sandkeeper-downstream")}, args...)...)
}

func (u *upgradeHost) upgradeDownstream(args ...string) upgradeDocument {
	u.t.Helper()
	return u.decode(u.downstream(u.arguments(append(args, "--no-rehearsal")...)[1:]...))
}

// kept are the extensions that keep state for a sandbox, by its id.
func (u *upgradeHost) kept() map[string][]string {
	u.t.Helper()
	p := u.downstream("extensions", "state", "--json")
	var d struct {
		Result struct {
			States []struct {
				Sandbox   struct{ ID string }
				Extension string
			}
		}
	}
	if err := json.Unmarshal([]byte(p.stdout), &d); err != nil || p.exit != 0 {
		u.t.Fatalf("extensions state: exit %d, %v\n%s\n%s", p.exit, err, p.stdout, p.stderr)
	}
	found := map[string][]string{}
	for _, s := range d.Result.States {
		found[s.Sandbox.ID] = append(found[s.Sandbox.ID], s.Extension)
	}
	return found
}

// audited are the events of the audit file: what happened to which sandbox, "!" before a failure, and whose fault it was.
func (u *upgradeHost) audited() []string {
	u.t.Helper()
	file, err := os.ReadFile(filepath.Join(u.home, ".local/state/sandkeeper/extensions-audit.jsonl"))
	if err != nil {
		u.t.Fatal(err)
	}
	var found []string
	for line := range bytes.Lines(file) {
		var e struct {
			Message, Status string
			ClassUID        int `json:"class_uid"`
			App             struct{ Name string }
			Unmapped        struct{ Extension string }
		}
		if err := json.Unmarshal(line, &e); err == nil && strings.HasPrefix(e.App.Name, "rehearse-") {
			continue
		} else if err != nil || e.ClassUID != 6002 || e.App.Name != u.name {
			u.t.Errorf("audit line %s is not an Application Lifecycle event of %q: %v", line, u.name, err)
		}
		text := strings.TrimSpace(e.Message + " " + e.Unmapped.Extension)
		if e.Status == "Failure" {
			text = "!" + text
		}
		found = append(found, text)
	}
	return found
}

// listedLabels are the sandbox's labels as its gateway answers them to a real openshell.
func (u *upgradeHost) listedLabels() map[string]string {
	u.t.Helper()
	p := run(u.t, u.env, u.openshell, "sandbox", "list", "-o", "json")
	var rows []struct {
		Name   string
		Labels map[string]string
	}
	if err := json.Unmarshal([]byte(p.stdout), &rows); err != nil || len(rows) != 1 || rows[0].Name != u.name {
		u.t.Fatalf("sandbox list: exit %d, %v\n%s\n%s", p.exit, err, p.stdout, p.stderr)
	}
	return rows[0].Labels
}

// extended holds that both built-in extensions have worked on the one container: environment, labels and mount are on it, and the
// gateway lists the labels as well.
func (u *upgradeHost) extended(tokens string) {
	u.t.Helper()
	made, err := u.engine.client.ContainerInspect(u.t.Context(), u.only().ID)
	if err != nil {
		u.t.Fatal(err)
	}
	for _, want := range []string{"MODE=careful", "AWS_ROLE_ARN=" + sandboxRole, "AWS_WEB_IDENTITY_TOKEN_FILE=" + tokenTarget + "/token"} {
		if !slices.Contains(made.Config.Env, want) {
			u.t.Errorf("the container's environment %q lacks %q", made.Config.Env, want)
		}
	}
	if !slices.ContainsFunc(made.Mounts, func(m container.MountPoint) bool { return m.Source == tokens && m.Destination == tokenTarget && !m.RW }) {
		u.t.Errorf("the container's mounts are %+v, want %s at %s, read-only", made.Mounts, tokens, tokenTarget)
	}
	for name, want := range map[string]string{"fleet": "prod", "region": "us-west"} {
		if got := made.Config.Labels[name]; got != want {
			u.t.Errorf("the container's label %q is %q, want %q", name, got, want)
		}
	}
	if diff := cmp.Diff(map[string]string{"fleet": "prod", "region": "us-west"}, u.listedLabels()); diff != "" {
		u.t.Errorf("the sandbox's labels (-want +listed):\n%s", diff)
	}
}

// keeps holds that extensions keep state for the one sandbox that there is, and for nothing else.
func (u *upgradeHost) keeps(extensions ...string) {
	u.t.Helper()
	want := map[string][]string{u.only().Labels["openshell.ai/sandbox-id"]: extensions}
	if diff := cmp.Diff(want, u.kept()); diff != "" {
		u.t.Errorf("extensions keep (-want +kept):\n%s", diff)
	}
}

func TestUpgradeWithBothBuiltInExtensions(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t, "running")
	tokens := u.activate("fleet-labels", "workload-identity")
	u.outcome(u.upgrade(), 0, "upgraded")
	c := u.only()
	if c.State != "running" || c.ImageID != u.newID {
		t.Errorf("the container is %s and runs from %s, want %s", c.State, c.ImageID, u.newID)
	}
	if diff := cmp.Diff(u.files, u.engine.now(c.ID)); diff != "" {
		t.Errorf("the home (-before +now):\n%s", diff)
	}
	u.extended(tokens)
	u.keeps("fleet-labels", "workload-identity")
	if diff := cmp.Diff([]string{"sandbox deletion began", "sandbox deleted", "sandbox creation began", "sandbox created"}, u.audited()); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

// TestReconcileLooksAtEveryStateAlsoOfWhatIsNotActive: what was kept for extensions that are active no longer is told, by the command and
// at the start of the next upgrade. Nothing of it is changed.
func TestReconcileLooksAtEveryStateAlsoOfWhatIsNotActive(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t, "running")
	u.activate("fleet-labels", "workload-identity")
	u.outcome(u.upgrade(), 0, "upgraded")
	u.activate([]string{}...)
	p := u.downstream("extensions", "reconcile")
	if p.exit != 0 || strings.Count(p.stdout, "it is not active, and its state is kept") != 2 || strings.Contains(p.stdout, "nothing to reconcile") {
		t.Errorf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
	u.keeps("fleet-labels", "workload-identity")
	replaced := u.newID
	u.newID = u.build("another for " + t.Name())
	t.Cleanup(func() {
		_, _ = u.engine.client.ImageRemove(context.Background(), replaced, image.RemoveOptions{Force: true})
	})
	p = run(t, u.env, u.arguments()...)
	if p.exit != 0 || strings.Count(p.stderr, "it is not active, and its state is kept") != 2 {
		t.Errorf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
}

// TestUpgradeThatAThirdExtensionRefusesOnce brings the old sandbox home by itself, and the built-in ones keep nothing of the attempt.
func TestUpgradeThatAThirdExtensionRefusesOnce(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t, "running")
	tokens := u.activate("fleet-labels", "workload-identity", "refuses-once")
	s := u.outcome(u.upgradeDownstream(), 1, "rolled_back")
	if !strings.Contains(s.Reason, `extension "refuses-once"`) {
		t.Errorf("the reason is %q", s.Reason)
	}
	u.cameBack("running", s.RollbackImage)
	u.extended(tokens)
	u.keeps("fleet-labels", "workload-identity")
	want := []string{
		"sandbox deletion began", "sandbox deleted", "sandbox creation began", "!lifecycle extension failed refuses-once", "!sandbox was not created",
		"sandbox creation began", "sandbox created",
	}
	if diff := cmp.Diff(want, u.audited()); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

// TestUpgradeThatAThirdExtensionAlwaysRefuses brings the old sandbox home by itself all the same, without any extension, and says so.
func TestUpgradeThatAThirdExtensionAlwaysRefuses(t *testing.T) {
	t.Parallel()
	u := newUpgradeHost(t, "running")
	u.activate("fleet-labels", "workload-identity", "always-refuses")
	s := u.outcome(u.upgradeDownstream(), 1, "rolled_back")
	if !strings.Contains(s.Reason, `extension "always-refuses"`) {
		t.Errorf("the reason is %q", s.Reason)
	}
	u.cameBack("running", s.RollbackImage)
	if kept := u.kept(); len(kept) != 0 {
		t.Errorf("extensions keep %v", kept)
	}
	refused := []string{"sandbox creation began", "!lifecycle extension failed always-refuses", "!sandbox was not created"}
	if diff := cmp.Diff(slices.Concat([]string{"sandbox deletion began", "sandbox deleted"}, refused, refused), u.audited()); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}
