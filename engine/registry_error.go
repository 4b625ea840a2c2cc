package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sandkeeper/internal/text"

	"github.com/containerd/errdefs"
)

// What keeps an image from being pulled, told apart. Test with errors.Is.
var (
	ErrNotInRegistry       = errors.New("the registry does not have it")
	ErrRegistryDenied      = errors.New("the registry does not let us in")
	ErrRegistryUnreachable = errors.New("the registry cannot be reached")
	ErrRegistryUnknown     = errors.New("the container engine cannot say whether the registry has it")
)

// fromDaemon is what the client puts before every error of a daemon.
const fromDaemon = "Error response from daemon: "

// registryError says what went wrong between engine and registry; the caller names the image. trouble is why no
// credentials could be had, or nil.
func registryError(err, trouble error) error {
	return withTrouble(fmt.Errorf("%w: %s", registryCause(err), spoken(err)), trouble)
}

// pullError is registryError for a pull: that can also fail for what is no matter of a registry, such as a full disk.
func pullError(err, trouble error) error {
	if registryCause(err) == ErrRegistryUnknown {
		return withTrouble(errors.New(spoken(err)), trouble)
	}
	return registryError(err, trouble)
}

func spoken(err error) string {
	return strings.TrimPrefix(text.OneLine(err.Error(), errorLimit), fromDaemon)
}

func withTrouble(err, trouble error) error {
	if trouble == nil {
		return err
	}
	return fmt.Errorf("%w; asked without credentials, because %w", err, trouble)
}

// registryCause goes by the engine's words before its status: Docker 20.10 answers 500 to most of what a registry has
// refused, and 404 also where a repository may only be closed to us. An engine without the endpoint (Podman) answers
// 404 as well.
func registryCause(err error) error {
	words := strings.ToLower(strings.TrimPrefix(err.Error(), fromDaemon))
	says := func(any ...string) bool {
		return slices.ContainsFunc(any, func(s string) bool { return strings.Contains(words, s) })
	}
	switch {
	case says("manifest unknown", "name unknown", "name not known to registry", "no matching manifest"):
		return ErrNotInRegistry
	case says("no basic auth credentials", "unauthorized", "denied", "authentication required", "authorization failed"),
		errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err):
		return ErrRegistryDenied
	case says("connection refused", "no such host", "i/o timeout", "handshake timeout", "unreachable", "no route to host", "connection reset",
		"deadline exceeded", "client.timeout", ": eof", "unexpected eof", "http response to https", "x509:", "server misbehaving", "unexpected http status: 5"):
		return ErrRegistryUnreachable
	case errdefs.IsNotFound(err) && !says("page not found", "is not supported") && words != "not found":
		return ErrNotInRegistry
	}
	return ErrRegistryUnknown
}
