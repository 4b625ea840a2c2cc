package lifecycle

import (
	"errors"
	"strings"
	"testing"
	"time"
)

type colourConfig struct {
	Colour string            `toml:"colour"`
	Shades map[string]string `toml:"shades"`
	Count  int               `toml:"count"`
}

func testRegistry(t testing.TB) Registry {
	t.Helper()
	r, err := NewRegistry(
		Define("paint", "paints", []uint32{1}, func(c colourConfig) (Extension, error) {
			if c.Colour == "invisible" {
				return nil, BadValue("colour", "%q cannot be seen", c.Colour)
			}
			return &scripted{name: c.Colour, log: &log{}}, nil
		}),
		Define("dry", "dries", []uint32{1, 2}, func(struct{}) (Extension, error) { return &scripted{name: "dry", log: &log{}}, nil }),
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const goodConfig = `
[other]
anything = 1

[compute]
extensions = ["paint", "dry"]

[compute.extension."paint"]
colour = "red"
shades = { a = "b" }
timeout = "45s"
`

func TestConfigure(t *testing.T) {
	links, err := Configure(testRegistry(t), Source{File: "config.toml", Data: []byte(goodConfig)})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "names", []string{links[0].Name, links[1].Name}, []string{"paint", "dry"})
	same(t, "timeouts", []time.Duration{links[0].timeout(), links[1].timeout()}, []time.Duration{45 * time.Second, DefaultTimeout})
	same(t, "config", links[0].Extension.(*scripted).name, "red")
	same(t, "reads", links[1].Reads, []uint32{1, 2})
}

func TestConfigureOverride(t *testing.T) {
	for override, want := range map[string][]string{"": {}, "dry": {"dry"}, " dry , paint,": {"dry", "paint"}} {
		links, err := Configure(testRegistry(t), Source{File: "config.toml", Data: []byte(goodConfig), Override: override, Overridden: true})
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, link := range links {
			got = append(got, link.Name)
		}
		same(t, override, got, want)
	}
}

func TestNoConfigurationIsAnEmptyChain(t *testing.T) {
	links, err := Configure(testRegistry(t), Source{File: "config.toml"})
	if err != nil || len(links) != 0 {
		t.Fatalf("%v, %v", links, err)
	}
}

func TestUnknownNameAtStartUp(t *testing.T) {
	_, err := Configure(testRegistry(t), Source{File: "/etc/config.toml", Data: []byte("[compute]\n\nextensions = [\"paint\", \"pant\"]\n")})
	fault, ok := errors.AsType[*ConfigError](err)
	if !ok || fault.Line != 3 {
		t.Fatalf("error %v is not at line 3", err)
	}
	same(t, "text", err.Error(), `/etc/config.toml:3: extension "pant" is not linked into this build; known: dry, paint`)
	_, err = Configure(testRegistry(t), Source{File: "/etc/config.toml", Override: "dry,pant", Overridden: true})
	same(t, "text", err.Error(), `OPENSHELL_COMPUTE_EXTENSIONS: extension "pant" is not linked into this build; known: dry, paint`)
}

func TestConfigurationFaults(t *testing.T) {
	cases := map[string]struct{ data, want string }{
		"syntax":            {"[compute]\nextensions = [", "f:2: "},
		"twice":             {"[compute]\nextensions = [\"dry\", \"dry\"]", `f:2: extension "dry" is in the list twice`},
		"no list":           {"[compute]\nextensions = \"dry\"", "f:2: extensions must be a list of names"},
		"list of numbers":   {"[compute]\nextensions = [1]", "f:2: extensions must be a list of names"},
		"no table":          {"\ncompute = 1", "f:2: compute must be a table"},
		"extension no map":  {"compute.extension = 1", "f:1: compute.extension must be a table"},
		"table no table":    {"[compute.extension]\npaint = 3", "f:2: compute.extension.paint must be a table"},
		"unknown key":       {"[compute]\nextension.paint.colour = \"red\"\nexstensions = []", `f:3: [compute] has no key "exstensions"; it knows: extension, extensions`},
		"unknown table":     {"[compute.extension.pant]\ncolour = \"red\"", `f:1: extension "pant" is not linked into this build; known: dry, paint`},
		"unknown table key": {"[compute.extension.paint]\ncolour = \"red\"\ncolor = \"red\"", `f:3: extension "paint" has no key "color"; it knows: colour, count, shades, timeout`},
		"inline unknown":    {"[compute]\nextension = { paint = { colour = \"red\", color = \"red\" } }", `f:2: extension "paint" has no key "color"`},
		"bad type":          {"[compute.extension.paint]\n\ncount = \"x\"", `f:3: extension "paint": count: `},
		"bad type in map":   {"[compute.extension.paint]\n\n[compute.extension.paint.shades]\na = 1", `f:4: extension "paint": shades.a: `},
		"bad value":         {"[compute]\nextensions = [\"paint\"]\n[compute.extension.paint]\ncolour = \"invisible\"", `f:4: extension "paint": colour: "invisible" cannot be seen`},
		"bad timeout":       {"[compute.extension.dry]\ntimeout = 30", `f:2: timeout must be a positive duration such as "45s", not 30`},
		"negative timeout":  {"[compute.extension.dry]\ntimeout = \"-1s\"", `f:2: timeout must be a positive duration such as "45s", not -1s`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			links, err := Configure(testRegistry(t), Source{File: "f", Data: []byte(c.data)})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, error %v\nwant prefix %s", links, err, c.want)
			}
		})
	}
}

func TestAllFaultsAreReportedTogether(t *testing.T) {
	_, err := Configure(testRegistry(t), Source{File: "f", Data: []byte("[compute]\nextensions = [\"pant\"]\nx = 1\n[compute.extension.paint]\ny = 1\n")})
	for _, want := range []string{"f:2:", "f:3:", "f:5:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %s", err, want)
		}
	}
}

func TestRegistryRefuses(t *testing.T) {
	build := func(struct{}) (Extension, error) { return nil, nil }
	a := Define("a", "", nil, build)
	for want, definitions := range map[string][]Definition{
		"linked in twice":    {a, a},
		"lower-case words":   {Define("A b", "", nil, build)},
		"not made by Define": {{Name: "x"}},
	} {
		if _, err := NewRegistry(definitions...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestList(t *testing.T) {
	r := testRegistry(t)
	links, err := Configure(r, Source{Override: "paint", Overridden: true})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "list", r.List(links), []Listing{
		{Name: "paint", Summary: "paints", Active: true, Order: 1, TimeoutMs: 30000, Reads: []uint32{1}},
		{Name: "dry", Summary: "dries", Reads: []uint32{1, 2}},
	})
}

// FuzzConfigure: whatever the file holds, the answer is links or errors with a place, never a panic.
func FuzzConfigure(f *testing.F) {
	f.Add([]byte(goodConfig))
	f.Add([]byte("[compute]\nextension = { paint = { timeout = [] } }"))
	f.Add([]byte("[[compute.extension.paint]]\ncolour=1"))
	registry := testRegistry(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		links, err := Configure(registry, Source{File: "f", Data: data})
		if err != nil && (len(links) > 0 || !strings.HasPrefix(err.Error(), "f:")) {
			t.Errorf("links %v beside error %v", links, err)
		}
	})
}
