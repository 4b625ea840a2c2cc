package openshell

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// calls are the recorded sections that the stand-in must print as the real program did.
func calls() map[string]string {
	return map[string]string{
		"status": "status", "status-json": "status -o json", "gateway-info": "gateway info",
		"gateway-info-named": "gateway info -g nemoclaw", "gateway-list": "gateway list", "gateway-list-json": "gateway list -o json",
		"sandbox-list": "sandbox list", "sandbox-list-json": "sandbox list -o json", "sandbox-list-wrapped": "sandbox list",
		"sandbox-list-names": "sandbox list --names", "sandbox-get-alpha": "sandbox get alpha", "sandbox-get-beta": "sandbox get beta",
		"sandbox-get-missing": "sandbox get missing", "sandbox-exec": "sandbox exec -n alpha -- true",
		"sandbox-exec-beta": "sandbox exec -n beta -- true", "sandbox-stop": "sandbox stop missing",
		"sandbox-delete": "sandbox delete missing", "unknown-gateway": "sandbox list -g elsewhere", "unknown-command": "frobnicate",
	}
}

// TestPrintsWhatTheRealOnePrints holds the stand-in against recordings of nine real versions.
func TestPrintsWhatTheRealOnePrints(t *testing.T) {
	files, err := filepath.Glob("../../e2e/testdata/real/cli-*/gateway-*.txtar")
	if err != nil || len(files) < 90 {
		t.Fatalf("%d recordings: %v", len(files), err)
	}
	for _, file := range files {
		cli := strings.TrimPrefix(filepath.Base(filepath.Dir(file)), "cli-")
		version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "gateway-"), ".txtar")
		if strings.HasSuffix(version, "-gpu") {
			continue // the stand-in has no GPU sandboxes
		}
		t.Run(cli+"/"+version, func(t *testing.T) { compare(t, file, script(cli, version)) })
	}
}

func compare(t *testing.T, file string, s Script) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	for section, argv := range calls() {
		env := []string{"LANG=C.UTF-8", "NO_GRAPHICS=1"}
		if section == "sandbox-list-wrapped" {
			env = env[:1]
		}
		var stdout, stderr bytes.Buffer
		exit := Main(strings.Fields(argv), append(env, "OPENSHELL_STANDIN="+written(t, s)), strings.NewReader(""), &stdout, &stderr)
		for name, got := range map[string]string{".stdout": stdout.String(), ".stderr": stderr.String(), ".exit": strconv.Itoa(exit) + "\n"} {
			if diff := cmp.Diff(same(want[section+name]), same(got)); diff != "" {
				t.Errorf("openshell %s: %s (-real +stand-in):\n%s", argv, name, diff)
			}
		}
	}
}

var (
	reasons = regexp.MustCompile(`invalid wire type value: [67]|unexpected end group tag`)
	gutter  = regexp.MustCompile(`\s*\n  │ ?`)
	slashes = regexp.MustCompile(`application/ grpc`)
)

// same takes away what depends on a sandbox's random id, and where lines are wrapped.
func same(text string) string {
	text = slashes.ReplaceAllString(gutter.ReplaceAllString(text, " "), "application/grpc")
	return reasons.ReplaceAllString(text, "REASON")
}

// script is the situation that was recorded (test/e2e/matrix_test.go).
func script(cli, version string) Script {
	s := Script{Version: cli}
	g := Gateway{Name: "nemoclaw", Endpoint: "http://127.0.0.1:17670", Version: version, Active: true}
	switch version {
	case "none":
		return s
	case "empty":
		g.Version = cli
	case "down":
		g.Endpoint, g.Down = "http://127.0.0.1:1", true
	default:
		s.Sandboxes = population()
	}
	s.Gateways = []Gateway{g}
	return s
}

func population() []Sandbox {
	at := time.Date(2026, 8, 21, 14, 15, 56, 0, time.UTC)
	ids := []string{
		"0b1c8a52-6c7e-4a53-9c5e-3f0f3b6a2d11", "4f6d2c1e-91aa-4f0e-8a7b-5b1f0d9c3e22", "e3a90c77-0d24-4f4b-b0c6-77f1d2a85b33",
		"c55e1f90-2b3c-4d6e-9f1a-0a9b8c7d6e44", "d1d2d3d4-5e6f-4a1b-8c2d-3e4f5a6b7c55", "a7b3f0e1-8d9c-4b2a-a1f0-e9d8c7b6a566",
	}
	phases := []string{"Ready", "Provisioning", "Error", "Ready", "Deleting", ""}
	var all []Sandbox
	for i, name := range []string{"alpha", "beta", "gamma", "delta", "epsilon", "a-rather-long-name"} {
		all = append(all, Sandbox{
			Name: name, ID: ids[i], Phase: phases[i], Created: at.Add(time.Duration(i) * time.Hour), Labels: map[string]string{"team": "blue"},
		})
	}
	return all
}

func written(t *testing.T, s Script) string {
	t.Helper()
	content, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "standin.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
