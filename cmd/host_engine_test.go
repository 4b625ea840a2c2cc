package cmd

import (
	"testing"

	"sandkeeper/engine"
)

// An engine that does not answer is named once, with where its address is from.
func TestASilentEngineIsNamedOnce(t *testing.T) {
	for why, want := range map[string]string{
		"unix:///x (from DOCKER_HOST): refused": "container engine at unix:///x (from DOCKER_HOST): refused",
		"no such context":                       "container engine at unix:///x: no such context",
	} {
		state := engine.State{State: "unknown", Host: "unix:///x", Why: why}
		if got := "container engine at " + state.Words(); got != want {
			t.Errorf("%q: %q, want %q", why, got, want)
		}
	}
}
