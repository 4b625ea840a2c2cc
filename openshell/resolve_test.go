package openshell

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/internal/env"
	"sandkeeper/internal/trust"
)

// program writes an executable of ours and returns its path.
func program(t *testing.T, dir, script string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "openshell")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestResolveKeepsTheOrder(t *testing.T) {
	root := t.TempDir()
	configured := program(t, filepath.Join(root, "configured"), "")
	first, second := program(t, filepath.Join(root, "first"), ""), program(t, filepath.Join(root, "second"), "")
	home := program(t, filepath.Join(root, "home/.local/bin"), "")
	notExecutable := filepath.Join(root, "plain/openshell")
	if err := os.MkdirAll(filepath.Dir(notExecutable), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(notExecutable, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Dir(first) + ":" + filepath.Dir(second)
	for _, c := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"configured", []string{"NEMOCLAW_OPENSHELL_BIN=" + configured, "PATH=" + path}, configured},
		{"configured, relative", []string{"NEMOCLAW_OPENSHELL_BIN=openshell", "PATH=" + path}, first},
		{"configured, missing", []string{"NEMOCLAW_OPENSHELL_BIN=/no/such/openshell", "PATH=" + path}, first},
		{"configured, not executable", []string{"NEMOCLAW_OPENSHELL_BIN=" + notExecutable, "PATH=" + path}, first},
		{"PATH in order", []string{"PATH=" + filepath.Dir(notExecutable) + ":/no/such:" + path}, first},
		{"relative PATH entries are passed over", []string{"PATH=.::bin:" + filepath.Dir(second)}, second},
		{"home", []string{"PATH=/no/such", "HOME=" + filepath.Join(root, "home")}, home},
	} {
		got, err := Resolve(t.Context(), env.Parse(c.environ), os.Getuid())
		if got != c.want || err != nil {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestResolveSaysWhereItLooked(t *testing.T) {
	_, err := Resolve(t.Context(), env.Parse([]string{"PATH=/no/such/bin", "HOME=/no/home"}), os.Getuid())
	if err == nil {
		t.Skip("this machine has an openshell in a standard place, so nothing can be missing")
	}
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "looked in PATH, ") || !strings.Contains(err.Error(), "/no/home/.local/bin") {
		t.Errorf("got %v", err)
	}
}

func TestResolveNeverReturnsAnUntrustedProgram(t *testing.T) {
	root := t.TempDir()
	open := program(t, filepath.Join(root, "open"), "")
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	safe := program(t, filepath.Join(root, "safe"), "")

	_, err := Resolve(t.Context(), env.Parse([]string{"NEMOCLAW_OPENSHELL_BIN=" + open, "PATH=" + filepath.Dir(safe)}), os.Getuid())
	if !errors.Is(err, trust.ErrUntrusted) || !strings.Contains(err.Error(), open) {
		t.Errorf("configured: got %v, want a refusal that names %s", err, open)
	}
	got, err := Resolve(t.Context(), env.Parse([]string{"PATH=" + filepath.Dir(open) + ":" + filepath.Dir(safe)}), os.Getuid())
	if got != safe || err != nil {
		t.Errorf("on PATH: got %q, %v; want %q", got, err, safe)
	}
	_, err = Resolve(t.Context(), env.Parse([]string{"PATH=" + filepath.Dir(open)}), os.Getuid())
	if err == nil {
		t.Skip("this machine has an openshell in a standard place")
	}
	if !errors.Is(err, ErrNotFound) || !errors.Is(err, trust.ErrUntrusted) || !strings.Contains(err.Error(), open) {
		t.Errorf("alone on PATH: got %v, want not found, and %s named", err, open)
	}
}
