package openshell

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"sandkeeper/openshell/wire"
	"sandkeeper/test/e2e/gateway"
)

// part appends a length-delimited field.
func part(to []byte, number protowire.Number, content ...byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(to, number, protowire.BytesType), content)
}

func said(to []byte, number protowire.Number, content string) []byte {
	return part(to, number, []byte(content)...)
}

func flag(to []byte, number protowire.Number) []byte {
	return protowire.AppendVarint(protowire.AppendTag(to, number, protowire.VarintType), 1)
}

func object(t testing.TB, fields map[string]any) []byte {
	t.Helper()
	s, err := structpb.NewStruct(fields)
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// everything is a SandboxSpec that says all that its version can say, and what only a later one could.
func everything(t testing.TB, version, image string) []byte {
	v := wire.VersionOf(version)
	template := said(nil, 977, "a future field of the template")
	template = said(template, 1, image)
	template = part(template, 4, said(said(nil, 1, "pod"), 2, "label")...)
	template = part(template, 7, object(t, map[string]any{"limits": map[string]any{"cpu": "2", "memory": "4Gi"}})...)
	if v.Since(58) {
		template = part(template, 11, object(t, map[string]any{"docker": map[string]any{"mounts": []any{
			map[string]any{"type": "volume", "source": "work", "target": "/sandbox/work", "read_only": false},
		}}})...)
	}
	spec := said(nil, 1, "debug")
	spec = part(spec, 5, said(said(nil, 1, "TOKEN"), 2, "s3cret")...)
	spec = part(spec, 5, said(said(nil, 1, "MODE"), 2, "")...)
	spec = said(spec, 999, "a future field of the spec")
	spec = part(spec, 6, template...)
	spec = part(spec, 7, said(nil, 900, "policy")...)
	spec = said(said(spec, 8, "openai"), 8, "github")
	if v.Since(69) {
		spec = part(spec, 9, part(nil, 1, 0x08, 2)...)
	} else {
		spec = flag(spec, 9)
	}
	if v.Since(111) {
		spec = flag(said(said(spec, 12, "sleep"), 12, "infinity"), 13)
	}
	return spec
}

// TestRecipeSurvivesARebuild deletes a sandbox and makes it again with another image, in every generation: all that it was made from is
// there again, byte for byte.
func TestRecipeSurvivesARebuild(t *testing.T) {
	for _, version := range []string{"0.0.26", "0.0.36", "0.0.37", "0.0.52", "0.0.53", "0.0.68", "0.0.69", "0.0.110", "0.0.116", "0.1.0", "0.1.9"} {
		t.Run(version, func(t *testing.T) {
			labels := map[string]string{"team": "red"}
			if version <= "0.0.36" {
				labels = nil
			}
			var annotations map[string]string
			if gateway.Since(version, 84) {
				annotations = map[string]string{"owner": "red team"}
			}
			backend := gateway.NewMemory(gateway.Sandbox{
				ID: "id-a", Name: "alpha", Phase: gateway.Stopped, Created: start, Labels: labels, Annotations: annotations,
				Spec: everything(t, version, "img:1"), Later: said(nil, 990, "a future field of the metadata"),
			})
			records := gateway.NewRecords(gateway.Provider{Name: "openai"}, gateway.Provider{Name: "github"})
			api := connect(t, serve(t, &gateway.Server{Version: version, Backend: backend, Records: records}, nil))
			before := mustGet(t, api)
			checkRecipe(t, api, before)
			spec, err := Changes{Image: "img:2"}.Apply(before.Spec)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := api.DeleteSandbox(t.Context(), "alpha"); err != nil {
				t.Fatal(err)
			}
			created, err := api.CreateSandbox(t.Context(), CreateRequest{
				Name: "alpha", Workspace: before.Workspace, Labels: before.Labels, Annotations: before.Annotations, Spec: spec,
			})
			if err != nil {
				t.Fatal(err)
			}
			after := mustGet(t, api)
			if !bytes.Equal(after.Spec, everything(t, version, "img:2")) {
				t.Errorf("the spec is\n%q, want\n%q", after.Spec, everything(t, version, "img:2"))
			}
			if after.ID == before.ID || after.ID != created.ID || after.Phase != "Ready" {
				t.Errorf("identity or state was replayed: %+v", after.ListedSandbox)
			}
			if diff := cmp.Diff(before.Labels, after.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(annotations, after.Annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

func mustGet(t *testing.T, api *API) RawSandbox {
	t.Helper()
	s, err := api.GetSandbox(t.Context(), "alpha")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkRecipe(t *testing.T, api *API, s RawSandbox) {
	t.Helper()
	want := Spec{Image: "img:1", EnvNames: []string{"MODE", "TOKEN"}, Providers: []string{"openai", "github"}, Policy: said(nil, 900, "policy")}
	if api.version.Since(58) {
		want.Mounts = []Mount{{Source: "work", Target: "/sandbox/work"}}
	}
	if api.version.Since(111) {
		want.Command = []string{"sleep", "infinity"}
	}
	got, err := s.ReadSpec()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// keeper is a gateway that remembers the last creation as it was sent.
type keeper struct{ request []byte }

func (k *keeper) fake(version string) fake {
	return fake{"Health": healthy(version), "CreateSandbox": func(_ context.Context, in []byte) ([]byte, error) {
		k.request = in
		return []byte("\x0a\x0e\x0a\x0c\x0a\x03id1\x12\x05alpha"), nil
	}}
}

// TestCreationSaysLabelsAnnotationsAndWorkspace compares what reaches the gateway with the schema, not with our own reader.
func TestCreationSaysLabelsAnnotationsAndWorkspace(t *testing.T) {
	pair := func(k, v string) []byte { return said(said(nil, 1, k), 2, v) }
	spec := everything(t, "0.1.0", "img:1")
	request := CreateRequest{
		Name: "alpha", Workspace: "blue", Labels: map[string]string{"team": "red", "": "x"}, Annotations: map[string]string{"note": "line\nline"},
		Spec: said(spec, 14, "epoch of the sandbox that was"),
	}
	common := part(nil, 1, spec...)
	common = said(common, 2, "alpha")
	common = part(common, 3, said(nil, 2, "x")...)
	common = part(part(common, 3, pair("team", "red")...), 4, pair("note", "line\nline")...)
	for version, want := range map[string][]byte{
		"0.0.116": said(bytes.Clone(common), 5, "blue"),
		"0.1.4":   part(bytes.Clone(common), 7, said(nil, 1, "blue")...),
	} {
		var k keeper
		got, err := connect(t, k.fake(version).serve(t, nil)).CreateSandbox(t.Context(), request)
		if err != nil || got.Name != "alpha" || !bytes.Equal(k.request, want) {
			t.Errorf("%s: %+v, %v\n%q, want\n%q", version, got, err, k.request, want)
		}
	}
}

func TestCreationThatCannotBeSaid(t *testing.T) {
	for version, c := range map[string]struct {
		request CreateRequest
		what    string
	}{
		"0.0.36":  {CreateRequest{Labels: map[string]string{"a": "b"}}, "labels"},
		"0.0.52":  {CreateRequest{Spec: everything(t, "0.0.110", "img")}, "a driver configuration"},
		"0.0.60":  {CreateRequest{Spec: everything(t, "0.0.110", "img")}, "resource requirements"},
		"0.0.83":  {CreateRequest{Annotations: map[string]string{"a": "b"}}, "annotations"},
		"0.0.110": {CreateRequest{Spec: everything(t, "0.0.111", "img")}, "the main command"},
	} {
		var k keeper
		c.request.Name = "alpha"
		_, err := connect(t, k.fake(version).serve(t, nil)).CreateSandbox(t.Context(), c.request)
		inexpressible, _ := errors.AsType[*InexpressibleError](err)
		if inexpressible == nil || inexpressible.What != c.what || !strings.Contains(err.Error(), `"alpha"`) || k.request != nil {
			t.Errorf("%s: %v, sent %q", version, err, k.request)
		}
	}
}

func TestMounts(t *testing.T) {
	spec := everything(t, "0.0.110", "img")
	added := []Mount{{Source: "/srv/data", Target: "/data", ReadOnly: true}, {Source: "cache", Target: "/cache"}, {Source: "work", Target: "/sandbox/work"}}
	got, err := Changes{Mounts: added, Driver: "docker"}.Apply(spec)
	if err != nil {
		t.Fatal(err)
	}
	read, err := wire.ReadSpec(got)
	if err != nil {
		t.Fatal(err)
	}
	want := object(t, map[string]any{"docker": map[string]any{"mounts": []any{
		map[string]any{"type": "volume", "source": "work", "target": "/sandbox/work", "read_only": false},
		map[string]any{"type": "bind", "source": "/srv/data", "target": "/data", "read_only": true},
		map[string]any{"type": "volume", "source": "cache", "target": "/cache", "read_only": false},
	}}})
	if !bytes.Equal(read.DriverConfig, want) {
		t.Errorf("driver_config is %q, want %q", read.DriverConfig, want)
	}
	if back, err := wire.WithDriverConfig(got, object(t, map[string]any{})); err != nil || !bytes.Contains(back, []byte("a future field of the template")) {
		t.Errorf("the rest of the spec is not what it was: %q, %v", back, err)
	}
	fresh, err := Changes{Mounts: added[:1], Driver: "podman"}.Apply(nil)
	recipe, readErr := RawSandbox{Spec: fresh}.ReadSpec()
	if diff := cmp.Diff(added[:1], recipe.Mounts); err != nil || readErr != nil || diff != "" {
		t.Errorf("a mount for an empty spec: %v, %v\n%s", err, readErr, diff)
	}
}

func TestMountsThatCannotBeMade(t *testing.T) {
	config := func(fields map[string]any) []byte {
		return part(nil, 6, part(nil, 11, object(t, fields)...)...)
	}
	mount := []Mount{{Source: "/srv", Target: "/sandbox/work"}}
	for name, c := range map[string]struct {
		spec   []byte
		driver string
		want   string
	}{
		"kubernetes":           {nil, "kubernetes", "kubernetes cannot be told a mount"},
		"no driver":            {nil, "", "cannot be told a mount"},
		"the target is taken":  {everything(t, "0.0.110", "img"), "docker", `mounts "work" at "/sandbox/work" already`},
		"mounts are no list":   {config(map[string]any{"docker": map[string]any{"mounts": "x"}}), "docker", "not a list"},
		"docker is no object":  {config(map[string]any{"docker": 1}), "docker", "not an object"},
		"broken configuration": {part(nil, 6, part(nil, 11, 0xff)...), "docker", "driver_config"},
		"broken spec":          {[]byte{0xff}, "docker", "SandboxSpec"},
	} {
		if _, err := (Changes{Mounts: mount, Driver: c.driver}).Apply(c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMountIsReadOnlyUnlessSaidOtherwise(t *testing.T) {
	config := object(t, map[string]any{"docker": map[string]any{"mounts": []any{map[string]any{"source": "v", "target": "/v"}}}})
	got, err := readMounts(config)
	if diff := cmp.Diff([]Mount{{Source: "v", Target: "/v", ReadOnly: true}}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// FuzzRecipe holds that a spec which can be read can also be changed, and that only what was asked for changes.
func FuzzRecipe(f *testing.F) {
	for _, version := range everyVersion {
		f.Add(everything(f, version, "img:1"), "img:2")
	}
	f.Add([]byte{0x32, 0x02, 0x5a, 0x00}, "")
	f.Fuzz(func(t *testing.T, spec []byte, image string) {
		before, err := RawSandbox{Spec: spec}.ReadSpec()
		if err != nil || !utf8.ValidString(image) || image == "" {
			return
		}
		changed, err := Changes{Image: image}.Apply(spec)
		if err != nil {
			t.Fatalf("it was read and cannot be changed: %v", err)
		}
		after, err := RawSandbox{Spec: changed}.ReadSpec()
		if err != nil {
			t.Fatalf("after the change it cannot be read: %v", err)
		}
		before.Image = image
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatal(diff)
		}
	})
}
