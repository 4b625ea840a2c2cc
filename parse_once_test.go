package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A refusal parses each version that it observes once: the program is built with counters, and they say how often its one
// parser ran. The host of the test has three versions: the openshell CLI's, the gateway's on disk, and the served one.
func TestARefusalParsesEachVersionOnce(t *testing.T) {
	dir := t.TempDir()
	sandkeeper, counters := filepath.Join(dir, "sandkeeper"), filepath.Join(dir, "counters")
	command(t, "go", "build", "-cover", "-covermode=count", "-coverpkg=sandkeeper,sandkeeper/drift", "-o", sandkeeper, ".")

	openshell := program(t, filepath.Join(dir, "openshell"), `case "$1" in
--version) echo openshell 0.0.44;;
status) printf 'Server Status\n\n  Gateway: openshell\n  Server: http://127.0.0.1:9\n  Status: Connected\n  Version: 0.0.43\n';;
esac`)
	gateway := program(t, filepath.Join(dir, "openshell-gateway"), "echo openshell-gateway 0.0.43")
	if err := os.Mkdir(counters, 0o700); err != nil {
		t.Fatal(err)
	}
	refusal := exec.CommandContext(t.Context(), sandkeeper, "backup-all", "--json")
	refusal.Env = []string{
		"HOME=" + dir, "PATH=/usr/bin:/bin", "GOCOVERDIR=" + counters, "SANDKEEPER_ENGINES=unix://" + dir + "/none.sock",
		"NEMOCLAW_OPENSHELL_BIN=" + openshell, "NEMOCLAW_OPENSHELL_GATEWAY_BIN=" + gateway,
	}
	out, err := refusal.Output()
	if refusal.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), `"served_version_drift"`) {
		t.Fatalf("this is not the refusal that is meant: %v\n%s", err, out)
	}
	profile := filepath.Join(dir, "profile")
	command(t, "go", "tool", "covdata", "textfmt", "-i="+counters, "-o="+profile)
	if got := runs(t, profile, "semver."+"StrictNewVersion("); got != 3 {
		t.Errorf("three versions were parsed %d times", got)
	}
}

// runs adds up how often the lines of package drift that contain call were run.
func runs(t *testing.T, profile, call string) int {
	t.Helper()
	total, content := 0, lines(t, profile)
	for _, block := range content[1:] { // "sandkeeper/drift/version.go:35.2,36.16 2 3": first line, last line, statements, count
		var first, last, column, count int
		file, place, _ := strings.Cut(block, ":")
		if _, err := fmt.Sscanf(place, "%d.%d,%d.%d %d %d", &first, &column, &last, &column, &column, &count); err != nil {
			t.Fatalf("%s: %v", block, err)
		}
		source := lines(t, strings.TrimPrefix(file, "sandkeeper/"))
		total += count * strings.Count(strings.Join(source[first-1:last], "\n"), call)
	}
	return total
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var found []string
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		found = append(found, scanner.Text())
	}
	return found
}

func program(t *testing.T, path, script string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", c, err, out)
	}
}
