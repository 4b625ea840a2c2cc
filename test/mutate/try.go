package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// What became of a mutant.
const (
	killed   = "killed"   // a test failed
	survived = "survived" // every test passed
	broken   = "broken"   // it does not compile, or its line is gone: the list wants a look
)

type result struct {
	mutant
	verdict string
	detail  string // the test that failed, or what is broken
	took    time.Duration
}

// tryLimit is how long the tests of one mutant may take; one that makes them hang is killed by that.
const tryLimit = 5 * time.Minute

func try(ctx context.Context, m mutant) result {
	began := time.Now()
	r := result{mutant: m}
	r.verdict, r.detail = verdict(ctx, m)
	r.took = time.Since(began)
	return r
}

func verdict(ctx context.Context, m mutant) (word, detail string) {
	overlay, clean, err := overlayOf(m)
	if err != nil {
		return broken, err.Error()
	}
	defer clean()
	args := append([]string{"test", "-vet=off", "-short", "-failfast", "-ldflags=-s -w", "-count=1", "-timeout", tryLimit.String(), "-overlay", overlay}, m.Tests...)
	out, err := goTool(ctx, args...)
	switch {
	case err == nil && !anyRan(out):
		return broken, "it names no test: " + strings.Join(m.Tests, " ")
	case err == nil:
		return survived, m.Why
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		return broken, out
	}
	return killed, firstFailure(out)
}

// noTests is what go test says of a package that none of the tests is in.
const noTests = "[no tests to run]"

// anyRan reports whether tests of one package ran at least.
func anyRan(out string) bool {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "ok ") && !strings.Contains(line, noTests) {
			return true
		}
	}
	return false
}

// firstFailure is the name of the test that noticed.
func firstFailure(out string) string {
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			name, _, _ = strings.Cut(name, " ")
			return name
		}
	}
	return "" // a panic, or a test that hung
}

func goTool(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// overlayOf writes the turned file aside, with the overlay that puts it into a build.
func overlayOf(m mutant) (overlay string, clean func(), err error) {
	source, err := os.ReadFile(m.File)
	if err != nil {
		return "", nil, err
	}
	text, err := m.turned(string(source))
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return "", nil, err
	}
	clean = func() { _ = os.RemoveAll(dir) }
	file, err := filepath.Abs(m.File)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "turned.go"), []byte(text), 0o600)
	}
	var list []byte
	if err == nil {
		list, err = json.Marshal(map[string]map[string]string{"Replace": {file: filepath.Join(dir, "turned.go")}})
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err == nil {
		err = os.WriteFile(overlay, list, 0o600)
	}
	if err != nil {
		clean()
		return "", nil, err
	}
	return overlay, clean, nil
}
