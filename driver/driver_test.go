package driver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandkeeper/internal/env"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/openshell/wire"
	"sandkeeper/sandbox"
	"sandkeeper/test/e2e/gateway"
)

// moody is a gateway's backend that a test can make behave badly.
type moody struct {
	*gateway.Memory
	create func(gateway.Sandbox) (gateway.Sandbox, error)
	remove func(name string) (bool, error)
	list   func() error
}

func (m *moody) Create(ctx context.Context, s gateway.Sandbox) (gateway.Sandbox, error) {
	if m.create != nil {
		return m.create(s)
	}
	return m.Memory.Create(ctx, s)
}

func (m *moody) Delete(ctx context.Context, name string) (bool, error) {
	if m.remove != nil {
		return m.remove(name)
	}
	return m.Memory.Delete(ctx, name)
}

func (m *moody) List(ctx context.Context) ([]gateway.Sandbox, error) {
	if m.list != nil {
		if err := m.list(); err != nil {
			return nil, err
		}
	}
	return m.Memory.List(ctx)
}

// oneSandbox is a backend with "alpha", id "id-a".
func oneSandbox(labels map[string]string) *moody {
	return &moody{Memory: gateway.NewMemory(gateway.Sandbox{
		ID: "id-a", Name: "alpha", Phase: gateway.Ready, Created: time.Unix(1782000000, 0), Labels: labels, Spec: specOf("img:1"),
	})}
}

// open is a driver for a gateway of the version that serves b.
func open(t *testing.T, version string, b gateway.Backend) *API {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { _ = (&gateway.Server{Version: version, Backend: b}).Serve(ctx, l) })
	t.Cleanup(func() { stop(); wait.Wait() })
	home := t.TempDir()
	folder := filepath.Join(home, ".config/openshell/gateways/gw")
	registration := fmt.Sprintf(`{"name":"gw","gateway_endpoint":"http://%s","auth_mode":"plaintext"}`, l.Addr())
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "metadata.json"), []byte(registration), 0o600)); err != nil {
		t.Fatal(err)
	}
	api, err := openshell.Connect(t.Context(), env.Parse([]string{"HOME=" + home}), "gw", version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close() })
	api.PollInterval = 5 * time.Millisecond
	return &API{API: api, DeleteLimit: 20 * time.Second, Interval: 5 * time.Millisecond}
}

// requestFor is the request for another image, with what extensions would add.
func requestFor(t *testing.T, d *API, image string) lifecycle.Request {
	t.Helper()
	recipe, err := d.Recipe(t.Context(), "alpha")
	if err != nil {
		t.Fatal(err)
	}
	if recipe, err = recipe.With(image); err != nil {
		t.Fatal(err)
	}
	request, err := recipe.Request()
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// TestDriverRebuildsInEveryGeneration reads a recipe, deletes its sandbox and creates it again: only the image differs, byte for byte.
func TestDriverRebuildsInEveryGeneration(t *testing.T) {
	for _, version := range []string{"0.0.36", "0.0.37", "0.0.52", "0.0.53", "0.0.116", "0.1.4"} {
		t.Run(version, func(t *testing.T) {
			labels := map[string]string{"team": "red"}
			if version == "0.0.36" {
				labels = nil
			}
			// specOf has a field 13, which is the terminal of a main command since 0.0.111 and nothing before.
			spec, err := wire.Parse(specOf("img:1"))
			if err != nil {
				t.Fatal(err)
			}
			if !wire.VersionOf(version).Since(111) {
				spec = spec.Without(13)
			}
			d := open(t, version, gateway.NewMemory(gateway.Sandbox{ID: "id-a", Name: "alpha", Phase: gateway.Ready, Labels: labels, Spec: spec.Encode()}))
			request := requestFor(t, d, "img:2")
			if err := d.DeleteSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha", Gateway: "gw"}); err != nil {
				t.Fatal(err)
			}
			record, err := d.CreateSandbox(t.Context(), request)
			if err != nil || record.ID == "" || record.ID == "id-a" {
				t.Fatalf("CreateSandbox = %+v, %v", record, err)
			}
			want, err := wire.WithImage(spec.Encode(), "img:2")
			if err != nil {
				t.Fatal(err)
			}
			listed, err := d.ListSandboxes(t.Context())
			wanted := []lifecycle.Record{{ID: record.ID, Name: "alpha", Gateway: "gw", Labels: labels, Phase: "Ready", Spec: want}}
			if diff := cmp.Diff(wanted, listed); err != nil || diff != "" {
				t.Errorf("ListSandboxes: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestRequestIsTheWholeTruth(t *testing.T) {
	d := open(t, "0.0.116", oneSandbox(map[string]string{"team": "red", "old": "1"}))
	request := requestFor(t, d, "img:1")
	request.Name = "beta"
	request.Labels = map[string]string{"team": "red", "fleet": "prod"}
	request.Env = map[string]string{"NEW": "1"}
	request.Mounts = []lifecycle.Mount{{Source: "/srv", Target: "/data", ReadOnly: true}}
	if _, err := d.CreateSandbox(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	s, err := d.API.GetSandbox(t.Context(), "beta")
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := s.ReadSpec()
	want := openshell.Spec{Image: "img:1", EnvNames: []string{"NEW"}, Mounts: []openshell.Mount{{Source: "/srv", Target: "/data", ReadOnly: true}}}
	if diff := cmp.Diff(want, recipe); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(request.Labels, s.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if strings.Contains(string(s.Spec), "s3cret") || !strings.Contains(string(s.Spec), "from the future") {
		t.Errorf("the spec is %q", s.Spec)
	}
}

func TestMountNeedsADriverThatKnowsThem(t *testing.T) {
	d := open(t, "0.0.84", oneSandbox(nil))
	request := requestFor(t, d, "img:2")
	request.Name, request.Mounts = "beta", []lifecycle.Mount{{Source: "/srv", Target: "/data"}}
	if record, err := d.CreateSandbox(t.Context(), request); !errors.Is(err, openshell.ErrUnsupported) || record.ID != "" {
		t.Errorf("CreateSandbox = %+v, %v", record, err)
	}
	request.Spec = []byte("nonsense")
	if _, err := d.CreateSandbox(t.Context(), request); err == nil || !strings.Contains(err.Error(), `"beta"`) {
		t.Errorf("a request without a recipe: %v", err)
	}
}

func TestCreateRefused(t *testing.T) {
	b := oneSandbox(nil)
	d := open(t, "0.1.2", b)
	request := requestFor(t, d, "img:2")
	if record, err := d.CreateSandbox(t.Context(), request); !errors.Is(err, fs.ErrExist) || record.ID != "" {
		t.Errorf("a name that is taken: %+v, %v", record, err)
	}
	request.Name = "beta"
	for _, code := range []codes.Code{codes.PermissionDenied, codes.FailedPrecondition, codes.InvalidArgument} {
		b.create = func(gateway.Sandbox) (gateway.Sandbox, error) {
			return gateway.Sandbox{}, status.Error(code, "interceptor \x1b[31mfreeze\x1b[0m\nsays no")
		}
		record, err := d.CreateSandbox(t.Context(), request)
		if err == nil || record.ID != "" || !strings.Contains(err.Error(), `of "beta": interceptor freeze says no (`) {
			t.Errorf("%v: %+v, %v", code, record, err)
		}
	}
}

// A creation whose answer is lost is not taken for one that did not happen, nor the other way round.
func TestCreateWithoutAnswer(t *testing.T) {
	for _, code := range []codes.Code{codes.Unavailable, codes.Internal, codes.DeadlineExceeded, codes.Unknown} {
		b := oneSandbox(nil)
		d := open(t, "0.0.110", b)
		recipe := Recipe{Name: "beta", Spec: nil}
		request, err := recipe.Request()
		if err != nil {
			t.Fatal(err)
		}
		b.create = func(gateway.Sandbox) (gateway.Sandbox, error) { return gateway.Sandbox{}, status.Error(code, "gone") }
		if record, err := d.CreateSandbox(t.Context(), request); err == nil || record.ID != "" {
			t.Errorf("%v, nothing created: %+v, %v", code, record, err)
		}
		b.create = func(s gateway.Sandbox) (gateway.Sandbox, error) {
			_, _ = b.Memory.Create(context.Background(), s)
			return gateway.Sandbox{}, status.Error(code, "gone")
		}
		record, err := d.CreateSandbox(t.Context(), request)
		if err == nil || record.Name != "beta" || record.ID == "" {
			t.Errorf("%v, created all the same: %+v, %v", code, record, err)
		}
	}
}

// A gateway that dies while it creates is asked again when it is back.
func TestCreateWhileTheGatewayRestarts(t *testing.T) {
	b := oneSandbox(nil)
	d := open(t, "0.0.110", b)
	request, err := Recipe{Name: "beta"}.Request()
	if err != nil {
		t.Fatal(err)
	}
	down := 0
	b.create = func(s gateway.Sandbox) (gateway.Sandbox, error) {
		_, err := b.Memory.Create(context.Background(), s)
		down = 3
		return gateway.Sandbox{}, errors.Join(err, status.Error(codes.Unavailable, "shutting down"))
	}
	b.list = func() error {
		if down--; down >= 0 {
			return status.Error(codes.Unavailable, "starting")
		}
		return nil
	}
	if record, err := d.CreateSandbox(t.Context(), request); err == nil || record.Name != "beta" {
		t.Errorf("CreateSandbox = %+v, %v", record, err)
	}
}

func TestListThatFailsIsNotEmpty(t *testing.T) {
	b := oneSandbox(nil)
	b.list = func() error { return status.Error(codes.Internal, "list sandboxes failed: database is locked") }
	if records, err := open(t, "0.0.110", b).ListSandboxes(t.Context()); err == nil || records != nil {
		t.Errorf("%+v, %v", records, err)
	}
}

func TestRecipeOfNobody(t *testing.T) {
	if _, err := open(t, "0.1.0", oneSandbox(nil)).Recipe(t.Context(), "nobody"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestGateways(t *testing.T) {
	d := open(t, "0.0.110", oneSandbox(nil))
	opened := 0
	g := Gateways{Open: func(_ context.Context, gateway string) (*openshell.API, error) {
		opened++
		if gateway != "gw" || opened == 1 {
			return nil, fs.ErrNotExist
		}
		return d.API, nil
	}}
	if _, err := g.Recipe(t.Context(), Place{Gateway: "gw"}, "alpha"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a gateway that cannot be opened: %v", err)
	}
	recipe, err := g.Recipe(t.Context(), Place{Gateway: "gw"}, "alpha")
	if err != nil || recipe.SandboxID != "id-a" || recipe.Gateway != "gw" || recipe.Image != "img:1" || !slices.Equal(recipe.EnvNames, []string{"TOKEN"}) {
		t.Errorf("Recipe = %+v, %v", recipe, err)
	}
	driver, err := g.Driver(t.Context(), Place{Gateway: "gw"})
	if err != nil {
		t.Fatal(err)
	}
	if records, err := driver.ListSandboxes(t.Context()); err != nil || len(records) != 1 {
		t.Errorf("%+v, %v", records, err)
	}
	missing, err := g.MissingProviders(t.Context(), Place{Gateway: "gw"}, []string{"openai"})
	if err != nil || !slices.Equal(missing, []string{"openai"}) {
		t.Errorf("MissingProviders = %q, %v", missing, err)
	}
	if err := g.StopSandbox(t.Context(), sandbox.Sandbox{Name: "alpha", Gateway: "gw"}); err != nil {
		t.Errorf("StopSandbox: %v", err)
	}
	if _, err := g.Driver(t.Context(), Place{Gateway: "other"}); err == nil || opened != 3 {
		t.Errorf("opened %d times, %v", opened, err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, err := driver.ListSandboxes(t.Context()); err == nil {
		t.Error("the connection is still open")
	}
}

// What an extension adds goes to the container by the template; what it gave up is taken off; what the operator set stays.
func TestLabelChanges(t *testing.T) {
	before := map[string]string{"team": "blue", "fleet": "old", "gone": "x"}
	added, gone := labelChanges(before, map[string]string{"team": "blue", "fleet": "prod", "region": "us-west"})
	if diff := cmp.Diff(map[string]string{"fleet": "prod", "region": "us-west"}, added); diff != "" {
		t.Errorf("added (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"gone"}, gone); diff != "" {
		t.Errorf("gone (-want +got):\n%s", diff)
	}
}

// Two sandboxes of one name in two workspaces are two: each is seen, read and stopped where it is meant, and a lister sees both.
func TestGatewaysKeepWorkspacesApart(t *testing.T) {
	for _, version := range []string{"0.0.110", "0.1.5"} {
		two := gateway.NewMemory(
			gateway.Sandbox{ID: "id-1", Name: "alpha", Phase: gateway.Ready, Spec: specOf("img:1")},
			gateway.Sandbox{ID: "id-2", Name: "alpha", Workspace: "team2", Phase: gateway.Ready, Spec: specOf("img:2")},
		)
		d := open(t, version, two)
		g := Gateways{Open: func(context.Context, string) (*openshell.API, error) { return d.API, nil }}
		for workspace, want := range map[string]string{"": "id-1", "default": "id-1", "team2": "id-2"} {
			at := Place{Gateway: "gw", Workspace: workspace}
			recipe, err := g.Recipe(t.Context(), at, "alpha")
			if err != nil || recipe.SandboxID != want {
				t.Errorf("%s: Recipe in %q = %s, %v, want %s", version, workspace, recipe.SandboxID, err, want)
			}
			driver, err := g.Driver(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			if records, err := driver.ListSandboxes(t.Context()); err != nil || len(records) != 1 || records[0].ID != want {
				t.Errorf("%s: ListSandboxes in %q = %+v, %v", version, workspace, records, err)
			}
		}
		lister, err := g.Lister(t.Context(), "gw")
		if err != nil {
			t.Fatal(err)
		}
		if records, err := lister.ListSandboxes(t.Context()); err != nil || len(records) != 2 {
			t.Errorf("%s: the lister sees %+v, %v", version, records, err)
		}
	}
}
