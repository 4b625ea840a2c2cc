// Package env answers what the process was told by its environment. It is the environment as a value: read once at the
// edge (cmd.SystemStreams), passed down, and replaced whole in tests. Nothing below cmd reads os.Getenv.
package env

import (
	"path/filepath"
	"slices"
	"strings"
)

// Env is a process environment: variable names to values. The zero value is an empty environment.
type Env struct {
	vars map[string]string
}

// Parse makes an Env from "NAME=value" entries as os.Environ gives them; a later entry wins.
func Parse(environ []string) Env {
	vars := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			vars[name] = value
		}
	}
	return Env{vars: vars}
}

// Get returns the value of name, or "" when it is unset.
func (e Env) Get(name string) string { return e.vars[name] }

// Lookup returns the value of name and whether it is set at all.
func (e Env) Lookup(name string) (string, bool) {
	value, ok := e.vars[name]
	return value, ok
}

// Home is the absolute home directory, or "" when HOME is unset or relative: then nothing below a home exists for us.
func (e Env) Home() string {
	if home := e.vars["HOME"]; filepath.IsAbs(home) {
		return filepath.Clean(home)
	}
	return ""
}

// ConfigHome is $XDG_CONFIG_HOME, by default ~/.config; "" without either.
func (e Env) ConfigHome() string { return e.xdg("XDG_CONFIG_HOME", ".config") }

// DataHome is $XDG_DATA_HOME, by default ~/.local/share; "" without either.
func (e Env) DataHome() string { return e.xdg("XDG_DATA_HOME", ".local/share") }

// StateHome is $XDG_STATE_HOME, by default ~/.local/state; "" without either.
func (e Env) StateHome() string { return e.xdg("XDG_STATE_HOME", ".local/state") }

// RuntimeDir is $XDG_RUNTIME_DIR, or "" when unset or relative.
func (e Env) RuntimeDir() string { return e.xdg("XDG_RUNTIME_DIR", "") }

// The XDG base directory specification tells programs to ignore relative values.
func (e Env) xdg(name, fallback string) string {
	if dir := e.vars[name]; filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	if fallback == "" || e.Home() == "" {
		return ""
	}
	return filepath.Join(e.Home(), fallback)
}

// Child is the environment for a program we start: an allow-list of what such programs need (NemoClaw's
// src/lib/subprocess-env.ts), then extra "NAME=value" entries, which win. Sorted, so that runs are repeatable.
func (e Env) Child(extra ...string) []string {
	child := map[string]string{}
	for name, value := range e.vars {
		if inherited(name) {
			child[name] = value
		}
	}

	for _, entry := range extra {
		name, value, _ := strings.Cut(entry, "=")
		child[name] = value
	}
	entries := make([]string, 0, len(child))
	for name, value := range child {
		entries = append(entries, name+"="+value)
	}
	slices.Sort(entries)
	return entries
}

// All is every variable as it was, "NAME=value", sorted: for a program of the operator's own choice that may need what
// no list knows, such as a credential helper.
func (e Env) All() []string {
	entries := make([]string, 0, len(e.vars))
	for name, value := range e.vars {
		entries = append(entries, name+"="+value)
	}
	slices.Sort(entries)
	return entries
}

// With returns a copy in which the given "NAME=value" entries are set.
func (e Env) With(entries ...string) Env {
	vars := make(map[string]string, len(e.vars)+len(entries))
	for name, value := range e.vars {
		vars[name] = value
	}
	for name, value := range Parse(entries).vars {
		vars[name] = value
	}
	return Env{vars: vars}
}

// Without returns a copy in which none of names is set.
func (e Env) Without(names ...string) Env {
	vars := make(map[string]string, len(e.vars))
	for name, value := range e.vars {
		if !slices.Contains(names, name) {
			vars[name] = value
		}
	}
	return Env{vars: vars}
}

func inherited(name string) bool {
	for _, prefix := range []string{"LC_", "XDG_", "OPENSHELL_", "GRPC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"HOME", "USER", "LOGNAME", "SHELL", "PATH", "TERM", "HOSTNAME", "TMPDIR", "TMP", "TEMP", "LANG",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "DOCKER_HOST", "KUBECONFIG", "SSH_AUTH_SOCK", "RUST_LOG", "RUST_BACKTRACE",
	}, name)
}
