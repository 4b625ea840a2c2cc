package lifecycle

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestAdditiveRefusal(t *testing.T) {
	request := Request{
		Labels: map[string]string{"tier": "gold"}, Annotations: map[string]string{"note": "x"}, Env: map[string]string{"HOME": "/sandbox"},
		Mounts: []Mount{{Source: "/srv", Target: "/data"}}, Home: "/home/agent",
	}
	earlier := []Addition{{Extension: "first", Kind: "label", Key: "fleet", Value: "prod"}}
	earlier[0].apply(&request)
	cases := map[string]struct {
		add   func(*Builder) error
		owner string
	}{
		"label of the gateway":            {func(b *Builder) error { return b.AddLabel("tier", "silver") }, "the gateway"},
		"label of an earlier extension":   {func(b *Builder) error { return b.AddLabel("fleet", "test") }, `extension "first"`},
		"emptying a label":                {func(b *Builder) error { return b.AddLabel("fleet", "") }, `extension "first"`},
		"annotation":                      {func(b *Builder) error { return b.AddAnnotation("note", "y") }, "the gateway"},
		"environment":                     {func(b *Builder) error { return b.AddEnv("HOME", "/root") }, "the gateway"},
		"mount at a taken target":         {func(b *Builder) error { return b.AddMount(Mount{Source: "/etc", Target: "/data"}) }, "the gateway"},
		"mount made writable":             {func(b *Builder) error { return b.AddMount(Mount{Source: "/srv", Target: "/data", ReadOnly: true}) }, "the gateway"},
		"label by which drivers find own": {func(b *Builder) error { return b.AddLabel("openshell.ai/sandbox-id", "x") }, "the gateway"},
		"annotation of the driver":        {func(b *Builder) error { return b.AddAnnotation("openshell.ai/x", "x") }, "the gateway"},
		"environment of the driver":       {func(b *Builder) error { return b.AddEnv("OPENSHELL_ENDPOINT", "http://mine") }, "the gateway"},
		"mount over the home":             {func(b *Builder) error { return b.AddMount(Mount{Source: "/srv", Target: "/home/agent"}) }, "the gateway"},
		"mount above the home":            {func(b *Builder) error { return b.AddMount(Mount{Source: "/srv", Target: "/home"}) }, "the gateway"},
		"mount over the supervisor":       {func(b *Builder) error { return b.AddMount(Mount{Source: "/srv", Target: "/opt/openshell/bin"}) }, "the gateway"},
		"mount above the credentials":     {func(b *Builder) error { return b.AddMount(Mount{Source: "/srv", Target: "/etc"}) }, "the gateway"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBuilder("second", request, earlier)
			err := c.add(b)
			if !errors.Is(err, ErrRefusedAddition) || !strings.Contains(err.Error(), `extension "second"`) || !strings.Contains(err.Error(), c.owner) {
				t.Errorf("error %v does not refuse with both owners, %q and %q", err, "second", c.owner)
			}
			after, added := b.seal()
			same(t, "request", after, request)
			same(t, "added", len(added), 0)
		})
	}
}

func TestBuilderAccepts(t *testing.T) {
	b := newBuilder("e", Request{Labels: map[string]string{"tier": "gold"}}, nil)
	err := errors.Join(
		b.AddLabel("tier", "gold"), // exactly as it is: nothing to do
		b.AddLabel("fleet", "prod"), b.AddEnv("A_1", ""), b.AddAnnotation("n", "v"), b.AddMount(Mount{Source: "vol", Target: "/data"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	got, added := b.seal()
	same(t, "request", got, Request{
		Labels: map[string]string{"tier": "gold", "fleet": "prod"}, Env: map[string]string{"A_1": ""},
		Annotations: map[string]string{"n": "v"}, Mounts: []Mount{{Source: "vol", Target: "/data"}},
	})
	same(t, "added", len(added), 4)
}

func TestAMountMayLieBesideAndBelowTheHome(t *testing.T) {
	b := newBuilder("e", Request{}, nil)
	for _, target := range []string{"/sandbox/data", "/sandboxes", "/var/run/secrets/openshell/aws", "/opt/openshell-tools"} {
		if err := b.AddMount(Mount{Source: "/srv", Target: target}); err != nil {
			t.Error(err)
		}
	}
	if err := b.AddMount(Mount{Source: "/srv", Target: "/sandbox"}); !errors.Is(err, ErrRefusedAddition) {
		t.Errorf("over the usual home: %v", err)
	}
}

func TestBuilderRefusesWhatCannotBe(t *testing.T) {
	b := newBuilder("e", Request{}, nil)
	for name, err := range map[string]error{
		"env with =":      b.AddEnv("A=B", "x"),
		"env empty":       b.AddEnv("", "x"),
		"env with NUL":    b.AddEnv("A", "x\x00y"),
		"label no key":    b.AddLabel("", "x"),
		"annotation none": b.AddAnnotation("", "x"),
		"mount relative":  b.AddMount(Mount{Source: "/a", Target: "data"}),
		"mount upwards":   b.AddMount(Mount{Source: "/a", Target: "/data/../etc"}),
		"mount on root":   b.AddMount(Mount{Source: "/a", Target: "/"}),
		"mount of naught": b.AddMount(Mount{Target: "/data"}),
	} {
		if err == nil || !strings.Contains(err.Error(), `"e"`) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	same(t, "request", b.Request(), Request{})
}

func TestExtensionsSeeButCannotChangeTheRequest(t *testing.T) {
	b := newBench(t, "a", "b")
	b.ext["a"].on[BeforeCreate] = func(_ context.Context, _ Sandbox, add *Builder) (*State, error) {
		add.Request().Labels["tier"] = "stolen"
		delete(add.Request().Labels, "tier")
		return textState("a"), add.AddLabel("fleet", "prod")
	}
	var seen Request
	b.ext["b"].on[BeforeCreate] = func(_ context.Context, _ Sandbox, add *Builder) (*State, error) {
		seen = add.Request()
		return textState("b"), nil
	}
	labels := map[string]string{"tier": "gold"}
	if _, err := b.driver.CreateSandbox(t.Context(), Request{Name: "alpha", Gateway: "gw", Labels: labels}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"tier": "gold", "fleet": "prod"}
	same(t, "seen by b", seen.Labels, want)
	same(t, "seen by the driver", b.memory.requests[0].Labels, want)
	same(t, "the caller's own map", labels, map[string]string{"tier": "gold"})
}

func TestAFailedExtensionAddsNothing(t *testing.T) {
	b := newBench(t, "a")
	b.ext["a"].on[BeforeCreate] = func(_ context.Context, _ Sandbox, add *Builder) (*State, error) {
		return nil, errors.Join(add.AddLabel("fleet", "prod"), errDenied)
	}
	_, err := b.create(t, "alpha")
	if !errors.Is(err, errDenied) {
		t.Fatal(err)
	}
	same(t, "stored", b.stored(t), []string{})
}

func TestBaselineWithdrawsFormerAdditions(t *testing.T) {
	b := newBench(t, "a")
	b.ext["a"].on[BeforeCreate] = func(_ context.Context, _ Sandbox, add *Builder) (*State, error) {
		return textState("a"), errors.Join(add.AddLabel("region", "us-west"), add.AddEnv("ROLE", "r1"), add.AddAnnotation("n", "1"),
			add.AddMount(Mount{Source: "v", Target: "/t"}))
	}
	record := b.mustCreate(t, "alpha")
	recipe := b.memory.requests[0]
	recipe.Env["ROLE"] = "changed by hand"
	recipe.Labels["tier"] = "gold"
	got, err := b.Baseline(recipe, Reference{ID: record.ID})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "baseline", got, Request{
		Name: "alpha", Gateway: "gw", Labels: map[string]string{"tier": "gold"},
		Env: map[string]string{"ROLE": "changed by hand"}, Annotations: map[string]string{}, Mounts: []Mount{},
	})
	unknown, err := b.Baseline(recipe, Reference{ID: "stranger"})
	same(t, "unknown sandbox", unknown, recipe)
	same(t, "error", err, nil)
}

// FuzzBuilder holds the promise whatever is added: what was there stays as it was.
func FuzzBuilder(f *testing.F) {
	f.Add("k", "v", "k", "w")
	f.Add("", "", "A=B", "\x00")
	f.Add("openshell.ai/x", "v", "/", "/a/../b")
	f.Fuzz(func(t *testing.T, key, value, key2, value2 string) {
		start := Request{Labels: map[string]string{key: value}, Env: map[string]string{key: value}, Mounts: []Mount{{Source: value, Target: key}}}
		b := newBuilder("e", start, nil)
		_ = b.AddLabel(key2, value2)
		_ = b.AddEnv(key2, value2)
		_ = b.AddAnnotation(key2, value2)
		_ = b.AddMount(Mount{Source: value2, Target: key2})
		got, _ := b.seal()
		if got.Labels[key] != value || got.Env[key] != value || got.Mounts[0] != start.Mounts[0] {
			t.Errorf("%+v became %+v", start, got)
		}
	})
}
