package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/env"
)

// newHome writes files (path below ~/.nemoclaw → content) and returns the home and an environment that points to it.
func newHome(t *testing.T, files map[string]string) (string, env.Env) {
	t.Helper()
	home := t.TempDir()
	for name, content := range files {
		path := filepath.Join(home, ".nemoclaw", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home, env.Parse([]string{"HOME=" + home})
}

func keys(rows []Row) []string {
	var found []string
	for _, row := range rows {
		found = append(found, row.Gateway+"/"+row.Name)
	}
	return found
}

func TestReadRegistryMergesRootAndPortRegistries(t *testing.T) {
	_, e := newHome(t, map[string]string{
		"sandboxes.json": `{"sandboxes":{"zeta":{"name":"zeta","future":{"a":1}},"alpha":{"name":"alpha","agent":"hermes","agentVersion":"0.19.0",
			"nemoclawVersion":"0.0.98","imageTag":"i:1","openshellDriver":"docker","openshellVersion":"0.0.44"}},"defaultSandbox":"alpha"}`,
		"gateways/9000/sandboxes.json":   `{"sandboxes":{"alpha":{"name":"alpha"}}}`,
		"gateways/8091/sandboxes.json":   `{"sandboxes":{"beta":{"name":"beta"}}}`,
		"gateways/08091/sandboxes.json":  `not read`,
		"gateways/notes/sandboxes.json":  `not read`,
		"gateways/70000/sandboxes.json":  `not read`,
		"gateways/10000/onboard.lock":    `no registry here`,
		"sandboxes.json.lock/owner":      `4242`,
		"gateways/8091/other-stuff.json": `{`,
	})
	r, err := ReadRegistry(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"nemoclaw-8091/beta", "nemoclaw-9000/alpha", "nemoclaw/alpha", "nemoclaw/zeta"}
	if diff := cmp.Diff(want, keys(r.Rows)); diff != "" {
		t.Error(diff)
	}
	if !r.Present || len(r.Files) != 3 || len(r.Problems) != 0 {
		t.Errorf("Present=%v Files=%v Problems=%v", r.Present, r.Files, r.Problems)
	}
	alpha, zeta := r.Rows[2], r.Rows[3]
	got := []string{alpha.Agent, alpha.AgentVersion, alpha.NemoclawVersion, alpha.ImageTag, alpha.OpenshellDriver, alpha.OpenshellVersion, zeta.Agent}
	if diff := cmp.Diff([]string{"hermes", "0.19.0", "0.0.98", "i:1", "docker", "0.0.44", "openclaw"}, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(string(zeta.Raw), `"future":{"a":1}`) {
		t.Errorf("unknown keys are lost: %s", zeta.Raw)
	}
}

func TestReadRegistryAbsentIsNotPresent(t *testing.T) {
	_, e := newHome(t, nil)
	r, err := ReadRegistry(e, nil)
	if err != nil || r.Present || r.Recorded() {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err = ReadRegistry(env.Parse(nil), nil); err != nil || r.Present || len(r.Problems) != 1 {
		t.Errorf("without HOME: %+v, %v", r, err)
	}
}

func TestReadRegistryRefusesWhatIsNotARegistry(t *testing.T) {
	for name, content := range map[string]string{
		"empty file":             "",
		"blank":                  " \n",
		"torn":                   `{"sandboxes":{"alpha":{"name":"al`,
		"trailing garbage":       `{"sandboxes":{}} x`,
		"two documents":          `{"sandboxes":{}}{}`,
		"array":                  `[]`,
		"string":                 `"sandboxes"`,
		"null":                   `null`,
		"no sandboxes":           `{}`,
		"other case":             `{"Sandboxes":{}}`,
		"sandboxes is an array":  `{"sandboxes":[]}`,
		"sandboxes is null":      `{"sandboxes":null}`,
		"sandboxes twice":        `{"sandboxes":{},"sandboxes":{}}`,
		"byte order mark":        "\ufeff" + `{"sandboxes":{}}`,
		"binary":                 "\x00\x01\x02",
		"larger than 16 MiB":     `{"sandboxes":{}}` + strings.Repeat(" ", registryLimit),
		"a lone surrogate's end": `{"sandboxes":{"a":"\u`,
	} {
		t.Run(name, func(t *testing.T) {
			home, e := newHome(t, map[string]string{"sandboxes.json": content})
			r, err := ReadRegistry(e, nil)
			bad, ok := errors.AsType[*RegistryError](err)
			if !ok {
				t.Fatalf("got %+v, %v; want a *RegistryError", r, err)
			}
			if want := filepath.Join(home, ".nemoclaw/sandboxes.json"); bad.Path != want || !strings.Contains(bad.Hint(), "mv "+want+" "+want+".invalid,") {
				t.Errorf("path %q, hint %q", bad.Path, bad.Hint())
			}
			if large := len(content) > registryLimit; large == strings.Contains(bad.Hint(), "repair") {
				t.Errorf("whether it is damaged is not what the hint is about: %q", bad.Hint())
			}
			if !strings.Contains(err.Error(), bad.Path) || errors.Unwrap(err) == nil {
				t.Errorf("error %q does not name the file, or hides its cause", err)
			}
		})
	}
}

// The folder itself may be a link: that is what has to be replaced, not a file in it that nobody sees.
func TestReadRegistryNamesTheLink(t *testing.T) {
	home, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "sandboxes.json"), []byte(`{"sandboxes":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(home, ".nemoclaw")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	_, err := ReadRegistry(env.Parse([]string{"HOME=" + home}), nil)
	bad, ok := errors.AsType[*RegistryError](err)
	if !ok || bad.Path != link || strings.Contains(bad.Hint(), "mv ") || !strings.Contains(bad.Hint(), " "+link+",") {
		t.Errorf("%v, %+v", err, bad)
	}
}

func TestReadRegistryRefusesFilesThatAreNotFiles(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "sandboxes.json")
	if err := os.WriteFile(outside, []byte(`{"sandboxes":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(path string) error{
		"link out of the home":          func(path string) error { return os.Symlink(outside, path) },
		"link to nothing":               func(path string) error { return os.Symlink("gone.json", path) },
		"link to nothing out of home":   func(path string) error { return os.Symlink("/nowhere/gone.json", path) },
		"pipe":                          func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"folder":                        func(path string) error { return os.Mkdir(path, 0o700) },
		"link in a circle":              func(path string) error { return os.Symlink("sandboxes.json", path) },
		"link to itself through parent": func(path string) error { return os.Symlink("../.nemoclaw/sandboxes.json", path) },
	} {
		t.Run(name, func(t *testing.T) {
			home, e := newHome(t, map[string]string{"config.json": "{}"})
			if err := make(filepath.Join(home, ".nemoclaw/sandboxes.json")); err != nil {
				t.Fatal(err)
			}
			if r, err := ReadRegistry(e, nil); !is[*RegistryError](err) {
				t.Errorf("got %+v, %v; want a *RegistryError", r, err)
			}
		})
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestReadRegistryFollowsLinksInsideTheHome(t *testing.T) {
	home, e := newHome(t, map[string]string{"real.json": `{"sandboxes":{"alpha":{"name":"alpha"}}}`})
	if err := os.Symlink("real.json", filepath.Join(home, ".nemoclaw/sandboxes.json")); err != nil {
		t.Fatal(err)
	}
	if r, err := ReadRegistry(e, nil); err != nil || len(r.Rows) != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestReadRegistryRefusesTooManyRoots(t *testing.T) {
	files := map[string]string{}
	for port := 1024; port < 1024+rootLimit+1; port++ {
		files[fmt.Sprintf("gateways/%d/sandboxes.json", port)] = `{"sandboxes":{}}`
	}
	_, e := newHome(t, files)
	if _, err := ReadRegistry(e, nil); !is[*RegistryError](err) || !strings.Contains(err.Error(), "257") {
		t.Errorf("got %v", err)
	}
}

func TestReadPlaceReadsATornFileAgain(t *testing.T) {
	home, _ := newHome(t, map[string]string{"sandboxes.json": `{"sandboxes":{"al`})
	at := place{path: filepath.Join(home, ".nemoclaw/sandboxes.json")}
	var written error
	found, err := readPlace(home, at, func() {
		written = os.WriteFile(at.path, []byte(`{"sandboxes":{"alpha":{"name":"alpha"}}}`), 0o600)
	})
	if written != nil || err != nil || len(found.rows) != 1 {
		t.Errorf("got %+v, %v (write: %v)", found, err, written)
	}
	pauses := 0
	if err := os.WriteFile(at.path, []byte(`{"sandboxes":{"al`), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := readPlace(home, at, func() { pauses++ }); !errors.Is(err, errNotRegistry) || pauses != 1 {
		t.Errorf("a file that stays torn: %+v, %v after %d pauses", found, err, pauses)
	}
}

func TestReadRegistryReportsOddRowsByName(t *testing.T) {
	_, e := newHome(t, map[string]string{"sandboxes.json": `{"sandboxes":{
		"alpha":{"name":"alpha"}, "list":[], "nameless":{}, "empty":{"name":""}, "":{"name":""}, "other":{"name":"beta"}, "num":{"name":5},
		"dup":{"name":"dup","agent":"pi"}, "dup":{"name":"dup","agent":"hermes"}, "Case":{"Name":"Case"},
		"route":{"name":"route","pendingRouteReservation":true}, "made":{"name":"made","pendingRouteReservation":true,"createdAt":"2026-06-02T09:14:55Z"}}}`})
	r, err := ReadRegistry(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"nemoclaw/alpha", "nemoclaw/dup", "nemoclaw/made"}, keys(r.Rows)); diff != "" {
		t.Error(diff)
	}
	if r.Reservations != 1 || r.Rows[1].Agent != "hermes" {
		t.Errorf("reservations %d, agent of dup %q", r.Reservations, r.Rows[1].Agent)
	}
	all := strings.Join(r.Problems, "\n")
	for _, want := range []string{`"list"`, `"nameless"`, `"empty"`, `row ""`, `"other" is ignored: its name is "beta"`, `"num"`, `"dup" appears more than once`, `"Case"`} {
		if !strings.Contains(all, want) {
			t.Errorf("problems do not mention %s:\n%s", want, all)
		}
	}
}

func TestBinding(t *testing.T) {
	for _, c := range []struct {
		fields   string
		rootPort int
		gateway  string // "" means a binding error
		port     int
	}{
		{``, 0, "nemoclaw", 8080},
		{``, 8091, "nemoclaw-8091", 8091},
		{``, 8080, "nemoclaw", 8080},
		{`,"gatewayPort":null,"gatewayName":null`, 0, "nemoclaw", 8080},
		{`,"gatewayPort":8091`, 0, "nemoclaw-8091", 8091},
		{`,"gatewayPort":8091.0`, 0, "nemoclaw-8091", 8091},
		{`,"gatewayPort":8080,"gatewayName":"nemoclaw-9999"`, 0, "nemoclaw", 8080},
		{`,"gatewayPort":8091`, 9000, "nemoclaw-8091", 8091},
		{`,"gatewayPort":"8091","gatewayName":"nemoclaw"`, 0, "nemoclaw", 8080},
		{`,"gatewayName":"nemoclaw-1"`, 0, "nemoclaw-1", 1},
		{`,"gatewayName":"nemoclaw-8080"`, 0, "", 0},
		{`,"gatewayName":"nemoclaw-65536"`, 0, "", 0},
		{`,"gatewayName":"nemoclaw-08091"`, 0, "", 0},
		{`,"gatewayName":"openshell"`, 0, "", 0},
		{`,"gatewayName":""`, 8091, "", 0},
		{`,"gatewayPort":"8091"`, 0, "", 0},
		{`,"gatewayPort":0`, 0, "", 0},
		{`,"gatewayPort":70000`, 0, "", 0},
		{`,"gatewayPort":1.5`, 0, "", 0},
		{`,"gatewayPort":1e400`, 0, "", 0},
	} {
		row := Row{Name: "a", Raw: []byte(`{"name":"a"` + c.fields + `}`)}
		bind(&row, c.rootPort)
		if row.Gateway != c.gateway || row.GatewayPort != c.port || (row.BindingErr != nil) != (c.gateway == "") {
			t.Errorf("%s in root %d: got %q %d %v, want %q %d", c.fields, c.rootPort, row.Gateway, row.GatewayPort, row.BindingErr, c.gateway, c.port)
		}
	}
}

func TestReadRegistryRestrictsToOneGateway(t *testing.T) {
	_, e := newHome(t, map[string]string{
		"sandboxes.json":               `{"sandboxes":{"alpha":{"name":"alpha"},"odd":{"name":"odd","gatewayName":"?"}}}`,
		"gateways/8091/sandboxes.json": `{"sandboxes":{"alpha":{"name":"alpha"}}}`,
	})
	for _, only := range []Binding{{Gateway: "nemoclaw-8091"}, {Port: 8091}, {Gateway: "nemoclaw-8091", Port: 17670}} {
		r, err := ReadRegistry(e, &only)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"nemoclaw-8091/alpha"}, keys(r.Rows)); diff != "" {
			t.Errorf("%+v: %s", only, diff)
		}
		if len(r.Elsewhere) != 2 || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], `"odd"`) {
			t.Errorf("%+v: elsewhere %v, problems %v", only, keys(r.Elsewhere), r.Problems)
		}
	}
}

func TestReadRegistryKeepsOneOfATwin(t *testing.T) {
	_, e := newHome(t, map[string]string{
		"sandboxes.json":               `{"sandboxes":{"beta":{"name":"beta","gatewayPort":8091,"agent":"pi"}}}`,
		"gateways/8091/sandboxes.json": `{"sandboxes":{"beta":{"name":"beta","agent":"hermes"}}}`,
	})
	r, err := ReadRegistry(e, nil)
	if err != nil || len(r.Rows) != 1 || r.Rows[0].Agent != "hermes" || len(r.Problems) != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(`{"sandboxes":{"alpha":{"name":"alpha","gatewayPort":8091},"b":[],"b":{"name":"b"}},"defaultSandbox":null}`))
	f.Add([]byte(`{"sandboxes":{"r":{"name":"r","pendingRouteReservation":true}}}`))
	f.Add([]byte(`{"sandboxes":{"\ud800":{"name":"\ud800"}}}`))
	f.Add([]byte(`{"sandboxes":`))
	f.Fuzz(func(t *testing.T, content []byte) {
		doc, err := parseDocument(content)
		if err != nil {
			if !errors.Is(err, errNotRegistry) || len(doc.rows) > 0 {
				t.Fatalf("%v with %d rows", err, len(doc.rows))
			}
			return
		}
		for _, row := range doc.rows {
			bind(&row, 0)
			if row.Name == "" || (row.Gateway == "") != (row.BindingErr != nil) {
				t.Fatalf("row %+v", row)
			}
		}
	})
}
