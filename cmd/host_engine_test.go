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
		_, err := containersOf(nil, engine.State{State: "unknown", Host: "unix:///x", Why: why})(t.Context())
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", why, err, want)
		}
	}
}
