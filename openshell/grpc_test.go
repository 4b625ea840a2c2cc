package openshell

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandkeeper/openshell/wire"
	"sandkeeper/test/e2e/gateway"
)

var everyVersion = []string{"0.0.26", "0.0.36", "0.0.37", "0.0.52", "0.0.53", "0.0.87", "0.0.88", "0.0.105", "0.0.116", "0.1.0", "0.1.9"}

var start = time.Date(2026, 8, 21, 14, 15, 56, 0, time.UTC)

func twoSandboxes() *gateway.Memory {
	return gateway.NewMemory(
		gateway.Sandbox{
			ID: "id-a", Name: "alpha", Image: "img:1", Phase: gateway.Ready, Created: start,
			Labels: map[string]string{"team": "red"}, Environment: map[string]string{"K": "secret"}, Providers: []string{"openai"},
		},
		gateway.Sandbox{ID: "id-b", Name: "beta", Image: "img:1", Phase: gateway.Failed, Created: start.Add(time.Minute)},
	)
}

// TestEveryGeneration goes through the life of sandboxes on gateways of every generation, with and without TLS.
func TestEveryGeneration(t *testing.T) {
	for _, version := range everyVersion {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s tls=%v", version, secure), func(t *testing.T) {
				server := &gateway.Server{Version: version, Backend: twoSandboxes()}
				api := connectTo(t, server, secure)
				if api.Served() != version || api.Generation() != wire.VersionOf(version).Generation {
					t.Errorf("served %q, generation %v", api.Served(), api.Generation())
				}
				readBoth(t, api)
				changeOne(t, api)
			})
		}
	}
}

func connectTo(t *testing.T, s *gateway.Server, secure bool) *API {
	if !secure {
		return connect(t, serve(t, s, nil))
	}
	pki := newPKI(t)
	e := knowing(t, serve(t, s, pki.server(t, tls.RequireAndVerifyClientCert)), "mtls")
	pki.install(t, e, "gw")
	api, err := Connect(t.Context(), e, "gw", s.Version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close() })
	return api
}

func readBoth(t *testing.T, api *API) {
	t.Helper()
	rows, err := api.Sandboxes(t.Context())
	if err != nil || len(rows) != 2 {
		t.Fatalf("Sandboxes = %+v, %v", rows, err)
	}
	want := ListedSandbox{ID: "id-a", Name: "alpha", Phase: "Ready", CreatedAt: start}
	if api.Generation() > wire.Cluster {
		want.Labels = map[string]string{"team": "red"}
	}
	if api.version.Since(88) {
		want.Workspace = "default"
	}
	if diff := cmp.Diff(want, rows[0].ListedSandbox); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got, err := api.GetSandbox(t.Context(), "alpha")
	if diff := cmp.Diff(rows[0], got); diff != "" || err != nil {
		t.Errorf("GetSandbox: %v\n%s", err, diff)
	}
	recipe, err := got.ReadSpec()
	if diff := cmp.Diff(Spec{Image: "img:1", EnvNames: []string{"K"}, Providers: []string{"openai"}}, recipe); diff != "" || err != nil {
		t.Errorf("Recipe: %v\n%s", err, diff)
	}
	if rows[1].Phase != "Error" {
		t.Errorf("phase of beta = %q", rows[1].Phase)
	}
	if _, err := api.GetSandbox(t.Context(), "nobody"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a sandbox that is not there: %v", err)
	}
}

func changeOne(t *testing.T, api *API) {
	t.Helper()
	request := CreateRequest{Name: "gamma"}
	request.Spec, _ = wire.WithImage(nil, "img:2")
	created, err := api.CreateSandbox(t.Context(), request)
	if err != nil || created.Name != "gamma" || created.ID == "" {
		t.Fatalf("CreateSandbox = %+v, %v", created, err)
	}
	if _, err := api.CreateSandbox(t.Context(), request); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second one of that name: %v", err)
	}
	stopped, started := api.StopSandbox(t.Context(), "gamma"), api.StartSandbox(t.Context(), "gamma")
	if old := !api.version.Since(105); errors.Is(stopped, ErrUnsupported) != old || errors.Is(started, ErrUnsupported) != old || !old && (stopped != nil || started != nil) {
		t.Errorf("stop and start: %v, %v", stopped, started)
	}
	if deletion, err := api.DeleteSandbox(t.Context(), "gamma"); err != nil || deletion != wire.Deleted {
		t.Errorf("DeleteSandbox = %v, %v", deletion, err)
	}
	if _, err := api.DeleteSandbox(t.Context(), "gamma"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleting it again: %v", err)
	}
}

// A gateway whose layout is not the one that its version promises is a mismatch, also where every byte decodes; across 0.1.0 it may find
// the workspace wrong before that, and refuse.
func TestWrongGeneration(t *testing.T) {
	for real, said := range map[string]string{
		"0.0.36": "0.0.37", "0.0.37": "0.0.36", "0.0.52": "0.0.53", "0.0.53": "0.0.52", "0.0.110": "0.1.0", "0.0.35": "0.1.2", "0.1.1": "0.0.36",
	} {
		api := connect(t, serve(t, &gateway.Server{Version: real, Says: said, Backend: twoSandboxes()}, nil))
		_, list := api.Sandboxes(t.Context())
		_, get := api.GetSandbox(t.Context(), "alpha")
		for _, err := range []error{list, get} {
			mismatch, _ := errors.AsType[*MismatchError](err)
			refused, _ := errors.AsType[*CallError](err)
			if mismatch == nil && (refused == nil || real != "0.1.1" && said != "0.1.0") {
				t.Errorf("%s that says it is %s: %v", real, said, err)
			}
			if mismatch != nil && !DecodeFailure(mismatch.Output) {
				t.Errorf("%q is not recognised as a decode failure", mismatch.Output)
			}
		}
	}
}

func TestServerSideDecodeFailureIsAMismatch(t *testing.T) {
	text := "failed to decode Protobuf message: ListSandboxesRequest.workspace_scope: unexpected end group tag"
	for _, code := range []codes.Code{codes.Internal, codes.InvalidArgument, codes.Unknown} {
		api := connect(t, fake{"Health": healthy("0.0.110"), "ListSandboxes": refusing(code, text)}.serve(t, nil))
		_, err := api.Sandboxes(t.Context())
		if mismatch, ok := errors.AsType[*MismatchError](err); !ok || !strings.Contains(mismatch.Output, "workspace_scope") {
			t.Errorf("%v: %v", code, err)
		}
	}
}

// A gateway that does not know its version is read with care and never written to.
func TestUnknownVersion(t *testing.T) {
	for _, version := range everyVersion {
		for _, said := range []string{"0.0.0", "nightly", "0.2.0"} {
			var writes atomic.Int32
			server := &gateway.Server{Version: version, Says: said, Backend: twoSandboxes(), Calls: func(method string) {
				if strings.Contains(method, "Create") || strings.Contains(method, "Delete") || strings.Contains(method, "Stop") {
					writes.Add(1)
				}
			}}
			api := connect(t, serve(t, server, nil))
			rows, err := api.Sandboxes(t.Context())
			if err != nil || len(rows) != 2 || rows[0].Phase != "Ready" || rows[0].ID != "id-a" {
				t.Errorf("%s as %s: Sandboxes = %+v, %v", version, said, rows, err)
			}
			if got, err := api.GetSandbox(t.Context(), "alpha"); err != nil || got.Name != "alpha" {
				t.Errorf("%s as %s: GetSandbox = %+v, %v", version, said, got, err)
			}
			if _, err := api.GetSandbox(t.Context(), "nobody"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s as %s: a sandbox that is not there: %v", version, said, err)
			}
			_, create := api.CreateSandbox(t.Context(), CreateRequest{Name: "gamma"})
			_, remove := api.DeleteSandbox(t.Context(), "alpha")
			stop := api.StopSandbox(t.Context(), "alpha")
			for _, err := range []error{create, remove, stop} {
				if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), said) {
					t.Errorf("%s as %s: a write was not refused: %v", version, said, err)
				}
			}
			if writes.Load() > 0 {
				t.Errorf("%s as %s: %d writes reached the gateway", version, said, writes.Load())
			}
		}
	}
}

func TestServedVersionCountsWhereNoneIsReported(t *testing.T) {
	e := knowing(t, serve(t, &gateway.Server{Version: "0.0.50", Says: "0.0.0", Backend: twoSandboxes()}, nil), "plaintext")
	api, err := Connect(t.Context(), e, "gw", "0.0.50")
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	if _, err := api.DeleteSandbox(t.Context(), "beta"); err != nil || api.Served() != "0.0.50" {
		t.Errorf("served %q: %v", api.Served(), err)
	}
	e = knowing(t, serve(t, &gateway.Server{Version: "0.0.50", Backend: twoSandboxes()}, nil), "plaintext")
	_, err = Connect(t.Context(), e, "gw", "0.0.36")
	if changed, ok := errors.AsType[*ConnectError](err); !ok || changed.Kind != VersionChanged {
		t.Errorf("a gateway that was replaced since: %v", err)
	}
}

func TestRefusalsAreShownClean(t *testing.T) {
	for _, c := range []struct {
		code codes.Code
		is   error
	}{
		{codes.PermissionDenied, nil}, {codes.FailedPrecondition, nil}, {codes.ResourceExhausted, nil}, {codes.AlreadyExists, fs.ErrExist},
	} {
		text := "denied by policy \x1b[31m\"freeze\"\x1b[0m:\n  no changes\u202e until Monday"
		api := connect(t, fake{"Health": healthy("0.0.110"), "DeleteSandbox": refusing(c.code, text)}.serve(t, nil))
		_, err := api.DeleteSandbox(t.Context(), "alpha")
		refused, ok := errors.AsType[*CallError](err)
		if !ok || refused.Code != c.code.String() || !strings.Contains(err.Error(), `denied by policy "freeze": no changes until Monday`) {
			t.Errorf("%v: %v", c.code, err)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%v is not %v", err, c.is)
		}
	}
}

// A workspace that is not found says nothing about the sandbox: it must not count as gone.
func TestNotFoundOfSomethingElse(t *testing.T) {
	for _, text := range []string{"workspace 'default' not found", "sandbox workspace 'x' not found", "", "route not found"} {
		api := connect(t, fake{"Health": healthy("0.0.110"), "GetSandbox": refusing(codes.NotFound, text)}.serve(t, nil))
		if _, err := api.GetSandbox(t.Context(), "alpha"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAnswerAboutAnotherSandbox(t *testing.T) {
	api := connect(t, fake{"Health": healthy("0.0.110"), "GetSandbox": func(context.Context, []byte) ([]byte, error) {
		return []byte("\x0a\x0d\x0a\x0b\x0a\x03id1\x12\x04beta"), nil
	}}.serve(t, nil))
	got, err := api.GetSandbox(t.Context(), "alpha")
	if _, ok := errors.AsType[*MismatchError](err); !ok {
		t.Errorf("GetSandbox = %+v, %v", got, err)
	}
}

func TestProvidersOfEveryGeneration(t *testing.T) {
	modern, old := "\x0a\x0d\x0a\x0b\x0a\x03id1\x12\x04prov", "\x0a\x0b\x0a\x03id1\x12\x04prov"
	for version, answer := range map[string]string{"0.0.36": old, "0.0.37": modern, "0.0.116": modern, "0.1.3": modern} {
		api := connect(t, fake{"Health": healthy(version), "ListProviders": func(context.Context, []byte) ([]byte, error) {
			return []byte(answer), nil
		}}.serve(t, nil))
		got, err := api.Providers(t.Context())
		if err != nil || !slices.Equal(got, []string{"prov"}) {
			t.Errorf("%s: %q, %v", version, got, err)
		}
	}
	api := connect(t, fake{"Health": healthy("0.0.110"), "ListProviders": refusing(codes.PermissionDenied, "no")}.serve(t, nil))
	if got, err := api.Providers(t.Context()); err == nil {
		t.Errorf("providers that could not be listed are %q", got)
	}
}

func TestComputeDrivers(t *testing.T) {
	for version, want := range map[string]bool{"0.0.84": false, "0.0.85": true, "0.1.0": true} {
		api := connect(t, serve(t, &gateway.Server{Version: version, Backend: twoSandboxes()}, nil))
		got, err := api.ComputeDrivers(t.Context())
		if want && (err != nil || !slices.Equal(got, []string{"docker"})) || !want && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %q, %v", version, got, err)
		}
	}
}

func TestUnknownPhaseIsShownAsSuch(t *testing.T) {
	if got := phaseName(99); got != "Phase99" || (ListedSandbox{Phase: got}).Ready() {
		t.Errorf("phaseName(99) = %q", got)
	}
}

// A sandbox counts as not there when every layout says so, not when the first one is not understood.
func TestUnknownVersionLooksTwiceBeforeItSaysGone(t *testing.T) {
	found := "\x0a\x0e\x0a\x0c\x0a\x03id1\x12\x05alpha"
	get := func(_ context.Context, in []byte) ([]byte, error) {
		if !strings.Contains(string(in), "default") {
			return nil, status.Error(codes.NotFound, "sandbox not found")
		}
		return []byte(found), nil
	}
	api := connect(t, fake{"Health": healthy("0.0.0"), "GetSandbox": get}.serve(t, nil))
	if got, err := api.GetSandbox(t.Context(), "alpha"); err != nil || got.ID != "id1" {
		t.Errorf("GetSandbox = %+v, %v", got, err)
	}
}
