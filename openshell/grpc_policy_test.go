package openshell

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"sandkeeper/openshell/wire"
	"sandkeeper/test/e2e/gateway"
)

// policyOf is a SandboxPolicy that tells itself apart, in wire form.
func policyOf(mark string) []byte { return said(nil, 900, mark) }

// TestCurrentPolicy holds which of a sandbox's policies a new one would be made with, in every generation.
func TestCurrentPolicy(t *testing.T) {
	type revision struct {
		mark   string
		status gateway.PolicyStatus
	}
	for name, c := range map[string]struct {
		first string // in the spec
		later []revision
		want  string
	}{
		"as created":                      {first: "one", want: "one"},
		"none":                            {},
		"set later":                       {first: "one", later: []revision{{"two", gateway.PolicyLoaded}}, want: "two"},
		"set and not loaded yet":          {first: "one", later: []revision{{"two", gateway.PolicyPending}}, want: "two"},
		"the last one failed":             {first: "one", later: []revision{{"two", gateway.PolicyLoaded}, {"three", gateway.PolicyFailed}}, want: "two"},
		"the only change failed":          {first: "one", later: []revision{{"two", gateway.PolicyFailed}}, want: "one"},
		"found by the sandbox itself":     {later: []revision{{"one", gateway.PolicyLoaded}}, want: "one"},
		"the only one, and it has failed": {later: []revision{{"one", gateway.PolicyFailed}}},
	} {
		for _, version := range []string{"0.0.36", "0.0.50", "0.0.110", "0.1.4"} {
			t.Run(name+"/"+version, func(t *testing.T) {
				made := gateway.Sandbox{ID: "id-a", Name: "alpha", Image: "img:1", Phase: gateway.Ready, Created: start}
				if c.first != "" {
					made.Policy = policyOf(c.first)
				}
				made.Spec = said(made.NewSpec(version), 999, "from the future")
				records := gateway.NewRecords()
				for _, r := range c.later {
					records.SetPolicy("id-a", policyOf(r.mark), r.status)
				}
				api := connect(t, serve(t, &gateway.Server{Version: version, Backend: gateway.NewMemory(made), Records: records}, nil))
				got, err := api.CurrentPolicy(t.Context(), mustGet(t, api))
				if err != nil {
					t.Fatal(err)
				}
				made.Policy = nil
				if c.want != "" {
					made.Policy = policyOf(c.want)
				}
				recipe, err := got.ReadSpec()
				if err != nil || string(recipe.Policy) != string(made.Policy) {
					t.Errorf("policy %q, %v, want %q", recipe.Policy, err, made.Policy)
				}
				if !strings.Contains(string(got.Spec), "from the future") || recipe.Image != "img:1" {
					t.Errorf("the rest of the spec is %q", got.Spec)
				}
			})
		}
	}
}

// TestPolicyThatCannotBeRead is an error: what is in force is not guessed. A gateway without revisions has the spec's policy alone.
func TestPolicyThatCannotBeRead(t *testing.T) {
	sandbox := RawSandbox{ListedSandbox: ListedSandbox{Name: "alpha"}, Spec: (gateway.Sandbox{Policy: policyOf("one")}).NewSpec("0.0.110")}
	for name, c := range map[string]struct {
		answer func(context.Context, []byte) ([]byte, error)
		says   string
	}{
		"not allowed":         {refusing(codes.PermissionDenied, "config:read is missing"), "config:read"},
		"sandbox gone":        {refusing(codes.NotFound, "sandbox not found"), "not found"},
		"another schema":      {func(context.Context, []byte) ([]byte, error) { return []byte("nonsense"), nil }, "decode"},
		"revision of nothing": {func(context.Context, []byte) ([]byte, error) { return nil, nil }, ""},
		"no such call":        {refusing(codes.Unimplemented, ""), ""},
		"no revision":         {refusing(codes.NotFound, "no policy revision found for this sandbox"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			api := connect(t, fake{"Health": healthy("0.0.110"), "GetSandboxPolicyStatus": c.answer}.serve(t, nil))
			got, err := api.CurrentPolicy(t.Context(), sandbox)
			if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if string(got.Spec) != string(sandbox.Spec) {
				t.Errorf("the spec is %q", got.Spec)
			}
		})
	}
}

func FuzzReadPolicyRevision(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x0a, 6, 0x08, 2, 0x18, 3, 0x3a, 0, 0x10, 1})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = wire.ReadPolicyRevision(b) })
}
