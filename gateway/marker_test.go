package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/env"
)

const wholeMarker = `{"version": 1, "pid": 4242, "driver": "docker", "platform": "linux", "arch": "x64",
  "endpoint": "http://127.0.0.1:8080", "desiredEnvHash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  "gatewayBin": "/usr/local/bin/openshell-gateway", "openshellVersion": "0.0.37", "dockerHost": "unix:///var/run/docker.sock",
  "createdAt": "2026-06-02T09:14:55.120Z"}`

func TestParseMarker(t *testing.T) {
	want := Marker{
		State: MarkerStale, PID: 4242, Endpoint: "http://127.0.0.1:8080", GatewayBin: "/usr/local/bin/openshell-gateway",
		OpenShellVersion: "0.0.37", DockerHost: "unix:///var/run/docker.sock",
		CreatedAt: time.Date(2026, 6, 2, 9, 14, 55, 120e6, time.UTC),
	}
	got, err := ParseMarker([]byte(wholeMarker))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseMarker (-want +got):\n%s", diff)
	}
}

func TestParseMarkerVariants(t *testing.T) {
	replaced := func(old, new string) string { return strings.Replace(wholeMarker, old, new, 1) }
	tests := []struct {
		name, content string
		wrong         string // part of the error, "" when it is valid
	}{
		{"compat mode has no binary", replaced(`"/usr/local/bin/openshell-gateway"`, "null"), ""},
		{"nulls", replaced(`"0.0.37", "dockerHost": "unix:///var/run/docker.sock"`, `null, "dockerHost": null`), ""},
		{"newer driver", replaced(`"docker"`, `"podman-rootless"`), ""},
		{"unknown keys", replaced(`{`, `{"gatewayConfigPath": "/x", "later": {"a": [1]},`), ""},
		{"empty", "", "not a JSON object"},
		{"torn", wholeMarker[:200], "not a JSON object"},
		{"binary", "\x7fELF\x02\x01\x00", "not a JSON object"},
		{"an array", "[]", "not a JSON object"},
		{"null", "null", `no "version"`},
		{"more behind", wholeMarker + "x", "not a JSON object"},
		{"foreign version", replaced(`"version": 1`, `"version": 2`), "version 2"},
		{"version as text", replaced(`"version": 1`, `"version": "1"`), `"version" is not an integer`},
		{"pid as text", replaced("4242", `"4242"`), `"pid" is not an integer`},
		{"pid with a fraction", replaced("4242", "4242.5"), `"pid" is not an integer`},
		{"pid null", replaced("4242", "null"), `"pid" is null`},
		{"pid zero", replaced("4242", "0"), "pid 0"},
		{"pid negative", replaced("4242", "-1"), "pid -1"},
		{"pid huge", replaced("4242", "4294967297"), "cannot be a process"},
		{"pid beyond any integer", replaced("4242", "99999999999999999999"), `"pid" is not an integer`},
		{"no endpoint", replaced(`"endpoint"`, `"Endpoint"`), `no "endpoint"`},
		{"endpoint null", replaced(`"http://127.0.0.1:8080"`, "null"), `"endpoint" is null`},
		{"driver with capitals", replaced(`"docker"`, `"Docker"`), "driver"},
		{"driver empty", replaced(`"docker"`, `""`), "driver"},
		{"binary as number", replaced(`"/usr/local/bin/openshell-gateway"`, "1"), `"gatewayBin" is not`},
		{"binary relative", replaced(`"/usr/local/bin/openshell-gateway"`, `"bin/g"`), "not an absolute path"},
		{"createdAt is no time", replaced("2026-06-02T09:14:55.120Z", "yesterday"), `createdAt "yesterday"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseMarker([]byte(test.content))
			if test.wrong == "" && err != nil || test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
				t.Errorf("error %v, want one with %q", err, test.wrong)
			}
		})
	}
}

func FuzzParseMarker(f *testing.F) {
	f.Add([]byte(wholeMarker))
	f.Add([]byte(`{"version":1,"pid":1e2}`))
	f.Add([]byte("null"))
	f.Add([]byte("{\"pid\":\x00}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := ParseMarker(content)
		if err == nil && (m.PID < 1 || m.CreatedAt.IsZero() && !strings.Contains(string(content), "0001-") || m.State != MarkerStale) {
			t.Errorf("ParseMarker accepts %q as %+v", content, m)
		}
	})
}

func TestReadMarker(t *testing.T) {
	tests := []struct {
		name   string
		target string
		extra  string // environment, with HOME as %
		make   func(t *testing.T, path string)
		at     string // below HOME
		want   MarkerState
		reason string
	}{
		{"default port", "nemoclaw", "", write(wholeMarker), ".local/state/nemoclaw/openshell-docker-gateway/runtime.json", MarkerStale, ""},
		{"other port", "nemoclaw-8091", "", write(wholeMarker), ".local/state/nemoclaw/openshell-docker-gateway-8091/runtime.json", MarkerStale, ""},
		{
			"another port's marker is not read", "nemoclaw-8091", "", write(wholeMarker),
			".local/state/nemoclaw/openshell-docker-gateway/runtime.json", MarkerAbsent, "no file",
		},
		{"override", "nemoclaw", "NEMOCLAW_OPENSHELL_GATEWAY_STATE_DIR=%/state", write(wholeMarker), "state/runtime.json", MarkerStale, ""},
		{
			"relative override", "nemoclaw", "NEMOCLAW_OPENSHELL_GATEWAY_STATE_DIR=state", write(wholeMarker), "state/runtime.json",
			MarkerAbsent, "not an absolute path",
		},
		{
			"not NemoClaw's gateway", "openshell", "", write(wholeMarker), ".local/state/nemoclaw/openshell-docker-gateway/runtime.json",
			MarkerAbsent, "is not started by NemoClaw",
		},
		{"torn", "nemoclaw", "", write(wholeMarker[:99]), ".local/state/nemoclaw/openshell-docker-gateway/runtime.json", MarkerInvalid, "JSON"},
		{
			"huge", "nemoclaw", "", write(wholeMarker + strings.Repeat(" ", 70<<10)), ".local/state/nemoclaw/openshell-docker-gateway/runtime.json",
			MarkerInvalid, "more than 65536",
		},
		{"a folder", "nemoclaw", "", write(wholeMarker), ".local/state/nemoclaw/openshell-docker-gateway/runtime.json/x", MarkerInvalid, "not a regular file"},
		{"a pipe", "nemoclaw", "", pipe, ".local/state/nemoclaw/openshell-docker-gateway/runtime.json", MarkerInvalid, "not a regular file"},
		{"another user's", "nemoclaw", "", given, ".local/state/nemoclaw/openshell-docker-gateway/runtime.json", MarkerInvalid, "belongs to user 4242"},
		{"others can write it", "nemoclaw", "", writable, ".local/state/nemoclaw/openshell-docker-gateway/runtime.json", MarkerInvalid, "can be written by other users"},
		{"a link out of the home", "nemoclaw", "", linkOut, ".local/state/nemoclaw/openshell-docker-gateway/runtime.json", MarkerInvalid, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			path := filepath.Join(home, test.at)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			test.make(t, path)
			o := Options{Env: env.Parse([]string{"HOME=" + home, strings.ReplaceAll(test.extra, "%", home)}), UID: os.Geteuid()}
			got := o.readMarker(Target{Name: test.target})
			if got.State != test.want || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("readMarker = %s (%s), want %s (…%s…)", got.State, got.Reason, test.want, test.reason)
			}
			if strings.HasPrefix(got.Reason, got.Path+":") && got.Path != "" {
				t.Errorf("the reason %q names the marker that it is about", got.Reason)
			}
		})
	}
}

func write(content string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func pipe(t *testing.T, path string) {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

// given is a marker that somebody else has written.
func given(t *testing.T, path string) {
	write(wholeMarker)(t, path)
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, needs root: a file is given to another user")
	}
	if err := os.Chown(path, 4242, 4242); err != nil {
		t.Fatal(err)
	}
}

// writable is a marker that anybody may have written.
func writable(t *testing.T, path string) {
	write(wholeMarker)(t, path)
	if err := os.Chmod(path, 0o606); err != nil {
		t.Fatal(err)
	}
}

func linkOut(t *testing.T, path string) {
	outside := filepath.Join(t.TempDir(), "runtime.json")
	write(wholeMarker)(t, outside)
	if err := os.Symlink(outside, path); err != nil {
		t.Fatal(err)
	}
}

// The marker names an engine of its own: it is found by reading one file, also when the marker's process is long gone.
func TestMarkerHostReadsOneFile(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".local/state/nemoclaw/openshell-docker-gateway")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	marker := `{"version":1,"pid":999999,"driver":"docker","platform":"linux","arch":"x64","endpoint":"http://127.0.0.1:8080",` +
		`"desiredEnvHash":"` + strings.Repeat("0", 64) + `","gatewayBin":null,"openshellVersion":null,"dockerHost":"unix:///own/docker.sock","createdAt":"2026-06-01T00:00:00.000Z"}`
	if err := os.WriteFile(filepath.Join(dir, "runtime.json"), []byte(marker), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Env: env.Parse([]string{"HOME=" + home, "PATH=/nowhere"}), GatewayName: "nemoclaw"}
	if got, want := MarkerHost(t.Context(), o), "unix:///own/docker.sock"; got != want {
		t.Errorf("MarkerHost = %q, want %q", got, want)
	}
	o.GatewayName = "../up"
	if got := MarkerHost(t.Context(), o); got != "" {
		t.Errorf("MarkerHost of a bad name = %q, want none", got)
	}
}
