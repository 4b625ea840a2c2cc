package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

// The words are those of Docker 20.10 and 28, of Podman 4, and of public registries.
func TestWhatARegistryRefusedIsToldApart(t *testing.T) {
	for _, c := range []struct {
		words  string
		status error
		want   error
	}{
		{"manifest unknown", errdefs.ErrNotFound, ErrNotInRegistry},
		{"manifest unknown", errdefs.ErrInternal, ErrNotInRegistry},
		{"errors:\nmanifest unknown: manifest unknown\n", errdefs.ErrNotFound, ErrNotInRegistry},
		{"manifest for busybox:none not found: manifest unknown: manifest unknown", errdefs.ErrNotFound, ErrNotInRegistry},
		{"name unknown: Requested repository not found", errdefs.ErrNotFound, ErrNotInRegistry},
		{"repository name not known to registry", errdefs.ErrNotFound, ErrNotInRegistry},
		{"no matching manifest for linux/arm64/v8 in the manifest list entries", errdefs.ErrInternal, ErrNotInRegistry},
		{"Requested image not found", errdefs.ErrNotFound, ErrNotInRegistry},
		{`Head "http://127.0.0.1:5000/v2/box/manifests/2": no basic auth credentials`, errdefs.ErrInternal, ErrRegistryDenied},
		{"unauthorized", errdefs.ErrUnauthenticated, ErrRegistryDenied},
		{"pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", errdefs.ErrNotFound, ErrRegistryDenied},
		{"forbidden", errdefs.ErrPermissionDenied, ErrRegistryDenied},
		{`Get "http://127.0.0.1:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused`, errdefs.ErrInternal, ErrRegistryUnreachable},
		{`Get "https://r.example/v2/": dial tcp: lookup r.example on 10.0.0.2:53: no such host`, errdefs.ErrInternal, ErrRegistryUnreachable},
		{`Get "https://r.example/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`, errdefs.ErrInternal, ErrRegistryUnreachable},
		{`Get "https://r.example/v2/": http: server gave HTTP response to HTTPS client`, errdefs.ErrInternal, ErrRegistryUnreachable},
		{`Get "https://r.example/v2/": x509: certificate signed by unknown authority`, errdefs.ErrInternal, ErrRegistryUnreachable},
		{`Get "https://r.example/v2/": EOF`, errdefs.ErrInternal, ErrRegistryUnreachable},
		{"received unexpected HTTP status: 503 Service Unavailable", errdefs.ErrInternal, ErrRegistryUnreachable},
		{"Path /v1.41/distribution/box/json is not supported", errdefs.ErrNotFound, ErrRegistryUnknown},
		{"page not found", errdefs.ErrNotFound, ErrRegistryUnknown},
		{"Not Found", errdefs.ErrNotFound, ErrRegistryUnknown},
		{"invalid reference format: repository name must be lowercase", errdefs.ErrInvalidArgument, ErrRegistryUnknown},
		{"no space left on device", errdefs.ErrInternal, ErrRegistryUnknown},
	} {
		got := registryError(fmt.Errorf("Error response from daemon: %s%w", c.words, silently{c.status}), nil)
		if !errors.Is(got, c.want) || !strings.HasPrefix(got.Error(), c.want.Error()+": ") || strings.Contains(got.Error(), "daemon") {
			t.Errorf("%q with %v: %v, want %v", c.words, c.status, got, c.want)
		}
	}
}

// silently is an error's kind without its words.
type silently struct{ error }

// Error is nothing.
func (silently) Error() string { return "" }

// Unwrap is the kind.
func (s silently) Unwrap() error { return s.error }

func TestWhyThereWereNoCredentialsIsSaidWithTheRefusal(t *testing.T) {
	trouble := errors.New("there is no docker-credential-pass in PATH")
	got := registryError(errors.New("Error response from daemon: unauthorized"), trouble)
	if !errors.Is(got, ErrRegistryDenied) || !errors.Is(got, trouble) {
		t.Errorf("registryError = %v, want the refusal and the trouble", got)
	}
}

func TestAPullThatFailsForAnotherReasonBlamesNoRegistry(t *testing.T) {
	if got := pullError(errors.New("Error response from daemon: no space left on device"), nil); got.Error() != "no space left on device" {
		t.Errorf("pullError = %v, want the reason alone", got)
	}
	if got := pullError(errors.New("Error response from daemon: manifest unknown"), nil); !errors.Is(got, ErrNotInRegistry) {
		t.Errorf("pullError = %v, want ErrNotInRegistry", got)
	}
}
