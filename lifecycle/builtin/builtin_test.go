package builtin

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/lifecycle"
)

const both = `
[compute]
extensions = ["fleet-labels", "workload-identity"]
[compute.extension."fleet-labels"]
labels = { fleet = "prod", region = "us-west" }
[compute.extension."workload-identity"]
provider = "aws"
role_arn = "arn:aws:iam::123456789012:role/openshell-sandbox"
`

// gateway is a driver that keeps the last request.
type gateway struct {
	lifecycle.Driver
	request lifecycle.Request
	records []lifecycle.Record
}

func (g *gateway) CreateSandbox(_ context.Context, r lifecycle.Request) (lifecycle.Record, error) {
	g.request = r
	record := lifecycle.Record{ID: "id-1", Name: r.Name, Gateway: r.Gateway, Labels: r.Labels}
	g.records = []lifecycle.Record{record}
	return record, nil
}

func (g *gateway) DeleteSandbox(context.Context, lifecycle.Reference) error {
	g.records = nil
	return nil
}

func (g *gateway) ListSandboxes(context.Context) ([]lifecycle.Record, error) { return g.records, nil }

type world struct {
	gateway *gateway
	store   *lifecycle.Store
}

func newWorld(t *testing.T) world {
	t.Helper()
	store, err := lifecycle.OpenStore(filepath.Join(t.TempDir(), "s.db"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return world{gateway: &gateway{}, store: store}
}

func (w world) chain(t *testing.T, config string) *lifecycle.Chain {
	t.Helper()
	registry, err := Registry()
	if err != nil {
		t.Fatal(err)
	}
	links, err := lifecycle.Configure(registry, lifecycle.Source{File: "f", Data: []byte(config)})
	if err != nil {
		t.Fatal(err)
	}
	chain, err := lifecycle.NewChain(lifecycle.Options{Links: links, Store: w.store})
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

func (w world) drift(t *testing.T, config string) map[string][]string {
	t.Helper()
	reports, err := w.chain(t, config).Reconcile(t.Context(), map[string]lifecycle.Driver{"gw": w.gateway})
	if err != nil {
		t.Fatal(err)
	}
	drift := map[string][]string{}
	for _, r := range reports {
		if r.Err != nil {
			t.Error(r.Err)
		}
		drift[r.Extension] = r.Drift
	}
	return drift
}

func TestBothAddWhatTheyAreConfiguredFor(t *testing.T) {
	w := newWorld(t)
	request := lifecycle.Request{Name: "alpha", Gateway: "gw", Labels: map[string]string{"tier": "gold"}, Spec: []byte{1, 2}}
	if _, err := w.chain(t, both).Wrap(w.gateway).CreateSandbox(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	want := lifecycle.Request{
		Name: "alpha", Gateway: "gw", Spec: []byte{1, 2},
		Labels: map[string]string{"tier": "gold", "fleet": "prod", "region": "us-west"},
		Env: map[string]string{
			"AWS_ROLE_ARN":                "arn:aws:iam::123456789012:role/openshell-sandbox",
			"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/openshell/aws/token",
		},
		Mounts: []lifecycle.Mount{{Source: "/var/run/secrets/openshell/aws", Target: "/var/run/secrets/openshell/aws", ReadOnly: true}},
	}
	if diff := cmp.Diff(want, w.gateway.request); diff != "" {
		t.Error(diff)
	}
	err := w.chain(t, both).Wrap(w.gateway).DeleteSandbox(t.Context(), lifecycle.Reference{ID: "id-1", Name: "alpha", Gateway: "gw"})
	states, _ := w.store.States()
	if err != nil || len(states) != 0 {
		t.Errorf("delete: %v, left: %v", err, states)
	}
}

func TestRoleThatIsAlreadySetIsNotOverridden(t *testing.T) {
	w := newWorld(t)
	request := lifecycle.Request{Name: "alpha", Env: map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::1:role/mine"}}
	_, err := w.chain(t, both).Wrap(w.gateway).CreateSandbox(t.Context(), request)
	if err == nil || !strings.Contains(err.Error(), `extension "workload-identity" may not set env "AWS_ROLE_ARN", which belongs to the gateway`) {
		t.Errorf("error %v", err)
	}
}

func TestBadConfigurationIsRefusedWithItsLine(t *testing.T) {
	fleet := "[compute]\nextensions = [\"fleet-labels\"]\n[compute.extension.\"fleet-labels\"]\n"
	aws := "[compute]\nextensions = [\"workload-identity\"]\n[compute.extension.\"workload-identity\"]\nprovider = \"aws\"\n"
	role := aws + "role_arn = \"arn:aws:iam::123456789012:role/r\"\n"
	cases := map[string]struct{ data, want string }{
		"no labels":         {fleet, `f:3: extension "fleet-labels": labels: at least one label is needed`},
		"no table":          {fleet + "labels = \"x\"", `f:4: extension "fleet-labels": labels: a table, such as { name = "value" }, is expected`},
		"no text":           {fleet + "labels = { a = 1 }", `f:4: extension "fleet-labels": labels.a: text, such as "one", is expected`},
		"no ARN":            {strings.Replace(role, `"arn:aws:iam::123456789012:role/r"`, "true", 1), `f:5: extension "workload-identity": role_arn: text, such as "one", is expected`},
		"label key":         {fleet + `labels = { "a b" = "c" }`, `f:4: extension "fleet-labels": labels: "a b" is not a label key`},
		"label prefix":      {fleet + `labels = { "A_/x" = "c" }`, `f:4: extension "fleet-labels": labels: "A_/x" is not a label key`},
		"label value":       {fleet + `labels = { a = "b c" }`, `f:4: extension "fleet-labels": labels: "b c" of "a" is not a label value`},
		"label of gateway":  {fleet + `labels = { "openshell.ai/x" = "c" }`, `f:4: extension "fleet-labels": labels: "openshell.ai/x" belongs to the gateway`},
		"provider":          {strings.Replace(aws, `"aws"`, `"gcp"`, 1), `f:4: extension "workload-identity": provider: "gcp" is not a provider; known: aws`},
		"no role":           {aws, `f:3: extension "workload-identity": role_arn: "" is not the ARN`},
		"relative source":   {role + `token_source = "a"`, `f:6: extension "workload-identity": token_source: "a" is not a clean absolute path`},
		"unclean target":    {role + `token_target = "/a/.."`, `f:6: extension "workload-identity": token_target: "/a/.." is not a clean absolute path`},
		"unknown key":       {role + `role = "x"`, `f:6: extension "workload-identity" has no key "role"; it knows: provider, role_arn, timeout, token_source, token_target`},
		"user ARN":          {aws + `role_arn = "arn:aws:iam::123456789012:user/u"`, `f:5: extension "workload-identity": role_arn: `},
		"unknown extension": {"[compute]\nextensions = [\"fleet\"]", `f:2: extension "fleet" is not linked into this build; known: exec-hooks, fleet-labels, workload-identity`},
	}
	registry, err := Registry()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		if _, err := lifecycle.Configure(registry, lifecycle.Source{File: "f", Data: []byte(c.data)}); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %v\nwant %s", name, err, c.want)
		}
	}
}

func TestRoleARN(t *testing.T) {
	for arn, want := range map[string]bool{
		"arn:aws:iam::123456789012:role/openshell-sandbox":          true,
		"arn:aws-us-gov:iam::123456789012:role/team/a/r+=,.@_-1":    true,
		"arn:aws-iso-b:iam::123456789012:role/r":                    true,
		"arn:aws:iam::12345678901:role/r":                           false,
		"arn:aws:iam:us-east-1:123456789012:role/r":                 false,
		"arn:aws:iam::123456789012:role/":                           false,
		"arn:aws:iam::123456789012:role/r\n":                        false,
		"arn:aws:sts::123456789012:assumed-role/r/s":                false,
		"arn:gcp:iam::123456789012:role/r":                          false,
		"arn:aws:iam::123456789012:role/" + strings.Repeat("r", 65): false,
	} {
		if got := roleARN().MatchString(arn); got != want {
			t.Errorf("%q: %v, want %v", arn, got, want)
		}
	}
}

func TestReconcileReportsDrift(t *testing.T) {
	tokens := t.TempDir()
	if err := os.WriteFile(filepath.Join(tokens, "token"), []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := both + "token_source = \"" + tokens + "\"\n"
	w := newWorld(t)
	if _, err := w.chain(t, config).Wrap(w.gateway).CreateSandbox(t.Context(), lifecycle.Request{Name: "alpha", Gateway: "gw"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"fleet-labels": nil, "workload-identity": nil}, w.drift(t, config)); diff != "" {
		t.Errorf("as it should be: %s", diff)
	}
	w.gateway.records[0].Labels["fleet"] = "stolen"
	if err := os.Remove(filepath.Join(tokens, "token")); err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("us-west", "us-east", "openshell-sandbox", "other").Replace(config)
	want := map[string][]string{
		"fleet-labels": {
			`label "fleet" was set to "prod" and is "stolen"`,
			`label "region" is configured as "us-east" since; the sandbox gets it when it is next recreated`,
		},
		"workload-identity": {
			`the sandbox has role "arn:aws:iam::123456789012:role/openshell-sandbox", "arn:aws:iam::123456789012:role/other" is configured; it gets that when it is next recreated`,
			`token file "` + tokens + `/token" is not on this host`,
		},
	}
	if diff := cmp.Diff(want, w.drift(t, changed)); diff != "" {
		t.Error(diff)
	}
}

func TestReconcileForgetsASandboxThatVanished(t *testing.T) {
	w := newWorld(t)
	if _, err := w.chain(t, both).Wrap(w.gateway).CreateSandbox(t.Context(), lifecycle.Request{Name: "alpha", Gateway: "gw"}); err != nil {
		t.Fatal(err)
	}
	w.gateway.records = nil
	w.drift(t, both)
	if tracked, err := w.store.Tracked(); err != nil || len(tracked) != 0 {
		t.Errorf("left: %+v, %v", tracked, err)
	}
}
