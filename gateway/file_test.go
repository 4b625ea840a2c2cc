package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sandkeeper/drift"
	"sandkeeper/internal/env"
)

// script puts a shell script at path that prints its text. Other tests start programs at the same time: a process that is made while
// the file is open for writing has it open until its own program runs, and so long nobody can execute it (golang.org/issue/22315).
func script(t *testing.T, path, text string) {
	t.Helper()
	parents(t, path)
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFileEvidence(t *testing.T) {
	live := func(home string) Marker {
		return Marker{State: MarkerLive, GatewayBin: home + "/live/openshell-gateway"}
	}
	none := func(string) Marker { return Marker{} }
	tests := []struct {
		name   string
		files  string // below home, those that print "openshell-gateway 0.0.N" with N from 1
		marker func(home string) Marker
		env    string // configured binary below home, "" for none
		cli    string
		want   string // version, or part of the reason
	}{
		{"nothing", "", none, "", "", "no openshell-gateway in"},
		{"usr/bin", "root/usr/bin/", none, "", "", "0.0.1"},
		{"order of the standard places", "root/usr/bin/ root/usr/local/bin/ root/opt/homebrew/bin/ .local/bin/", none, "", "", "0.0.4"},
		{"Homebrew before /usr/local", "root/usr/local/bin/ root/opt/homebrew/bin/", none, "", "", "0.0.2"},
		{"beside the CLI", ".local/bin/ cli/", none, "", "cli/openshell", "0.0.2"},
		{"configured", "cli/ conf/", none, "conf/openshell-gateway", "cli/openshell", "0.0.2"},
		{"configured, but not there", "cli/", none, "conf/openshell-gateway", "cli/openshell", "NEMOCLAW_OPENSHELL_GATEWAY_BIN"},
		{"the live marker's", "cli/ conf/ live/", live, "conf/openshell-gateway", "cli/openshell", "0.0.3"},
		{"the live marker's is gone", "cli/", live, "", "cli/openshell", "0.0.1"},
		{"a stale marker's is not asked", "live/ .local/bin/", func(home string) Marker {
			return Marker{State: MarkerStale, GatewayBin: home + "/live/openshell-gateway"}
		}, "", "", "0.0.2"},
		{"a compat container names none", ".local/bin/", func(string) Marker { return Marker{State: MarkerLive} }, "", "", "0.0.1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			for i, dir := range strings.Fields(test.files) {
				script(t, filepath.Join(home, dir, gatewayProgram), "echo openshell-gateway 0.0."+string(rune('1'+i)))
			}
			entries := []string{"HOME=" + home}
			if test.env != "" {
				entries = append(entries, "NEMOCLAW_OPENSHELL_GATEWAY_BIN= "+filepath.Join(home, test.env)+" ")
			}
			cli := ""
			if test.cli != "" {
				cli = filepath.Join(home, test.cli)
			}
			o := Options{Env: env.Parse(entries), UID: os.Geteuid(), Root: filepath.Join(home, "root")}.filled()
			got := o.fileEvidence(t.Context(), Target{Name: "nemoclaw", Port: 8080}, test.marker(home), cli, "")
			if got.Version.String() != test.want && !(got.Version.String() == "" && strings.Contains(got.Why, test.want)) {
				t.Errorf("file %+v, want %q", got, test.want)
			}
		})
	}
}

func TestOnlyAnAnswerThatNamesTheGatewayCounts(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"gateway", "echo openshell-gateway 0.0.37", "0.0.37"},
		{"on standard error, exit 1", "echo openshell-gateway 0.0.37 >&2; exit 1", "0.0.37"},
		{"the old name", "echo openshell-server 0.0.31", "0.0.31"},
		{"another program", "echo GNU bash, version 5.2.15", ""},
		{"the CLI", "echo openshell 0.0.37", ""},
		{"nothing", "exit 0", ""},
		{"reads its input", "cat; echo openshell-gateway 0.0.37", "0.0.37"},
		{"sees no environment of ours", `echo "openshell-gateway ${SECRET:-0.0.37}"`, "0.0.37"},
		{"hangs", "sleep 60", ""},
		{"babbles", "yes", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), gatewayProgram)
			script(t, path, test.text)
			limit := 20 * time.Second
			if test.name == "hangs" || test.name == "babbles" {
				limit = time.Second
			}
			o := Options{Env: env.Parse([]string{"HOME=/", "SECRET=1.1.1"}), UID: os.Geteuid(), ProbeTimeout: limit}.filled()
			got, err := o.fileAt(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			known := got.State == drift.Known
			if got.Version.String() != test.want || known != (test.want != "") || !known && got.Why == "" {
				t.Errorf("evidence %+v, want version %q", got, test.want)
			}
		})
	}
}

func parents(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
}
