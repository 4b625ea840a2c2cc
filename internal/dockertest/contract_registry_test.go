package dockertest_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/client"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/registrytest"
)

// shop is a daemon with a registry that has one image, which the daemon has not.
type shop struct {
	*client.Client
	ref    string
	digest string
	demand func(user, password string)
}

func fakeShop(t *testing.T) shop {
	d := dockertest.Start(t)
	ref, digest := "registry.test/contract:1", "sha256:"+strings.Repeat("d", 64)
	d.Publish(ref, dockertest.Published{Digest: digest, ID: "sha256:" + strings.Repeat("1", 64)})
	return shop{connect(t, d), ref, digest, d.Demand}
}

func realShop(t *testing.T) shop {
	c := onReal(t).Client
	r := registrytest.Start(t)
	ref := r.Address + "/sandkeeper/contract:1"
	root := pack(t, []dockertest.File{{Path: "/of", Data: []byte(ref)}})
	imported, err := c.ImageImport(t.Context(), image.ImportSource{Source: root, SourceName: "-"}, ref, image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, imported); err != nil {
		t.Fatal(err)
	}
	push := func(ctx context.Context, ref string) (io.ReadCloser, error) {
		return c.ImagePush(ctx, ref, image.PushOptions{RegistryAuth: "e30="})
	}
	if err := registrytest.Push(t.Context(), push, ref); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ImageRemove(t.Context(), ref, image.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	cleanUp(t, func() error {
		_, err := c.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true})
		return err
	})
	return shop{c, ref, r.Digest("sandkeeper/contract", "1"), r.Demand}
}

func (s shop) as(user, password string) string {
	encoded, _ := registry.EncodeAuthConfig(registry.AuthConfig{Username: user, Password: password})
	return encoded
}

// pull is the error of a pull, wherever it is said, and whether the report names the digest. How far it is a daemon says when it likes:
// of a small layer that arrives at once, never.
func (s shop) pull(t *testing.T, ref, auth string) string {
	t.Helper()
	body, err := s.ImagePull(t.Context(), ref, image.PullOptions{RegistryAuth: auth})
	if err != nil {
		return err.Error()
	}
	defer body.Close()
	report, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	_, failed, _ := strings.Cut(string(report), `"error":`)
	return fmt.Sprint(failed, strings.Contains(string(report), `"Digest: `+s.digest+`"`))
}

func TestRegistryContract(t *testing.T) {
	for _, backend := range []struct {
		name string
		make func(*testing.T) shop
	}{{"fake", fakeShop}, {"real", realShop}} {
		t.Run(backend.name, func(t *testing.T) {
			for _, promise := range registryPromises {
				t.Run(promise.name, func(t *testing.T) {
					t.Parallel()
					if got := promise.look(t, backend.make(t)); got != promise.want {
						t.Errorf("got  %s\nwant %s", got, promise.want)
					}
				})
			}
		})
	}
}

// registryPromises are what both daemons say of a registry.
var registryPromises = []struct {
	name string
	look func(*testing.T, shop) string
	want string
}{
	{"asking for an image gives its digest and pulls nothing", func(t *testing.T, s shop) string {
		asked, err := s.DistributionInspect(t.Context(), s.ref, "")
		_, here := s.ImageInspect(t.Context(), s.ref)
		return fmt.Sprint(asked.Descriptor.Digest.String() == s.digest, err, errdefs.IsNotFound(here))
	}, "true <nil> true"},
	{"a pull says the digest, and the image is there", func(t *testing.T, s shop) string {
		said := s.pull(t, s.ref, "")
		_, here := s.ImageInspect(t.Context(), s.ref)
		return fmt.Sprint(said, here)
	}, "true<nil>"},
	{"a tag that is not there", func(t *testing.T, s shop) string {
		_, err := s.DistributionInspect(t.Context(), s.ref+"9", "")
		return fmt.Sprint(errdefs.IsNotFound(err), " ", err, "; ", s.pull(t, s.ref+"9", ""))
	}, "true Error response from daemon: manifest unknown; Error response from daemon: manifest unknown"},
	{"no credentials", func(t *testing.T, s shop) string {
		s.demand("ann", "secret")
		_, err := s.DistributionInspect(t.Context(), s.ref, "")
		return fmt.Sprint(after(err.Error(), `": `), "; ", after(s.pull(t, s.ref, ""), `": `))
	}, "no basic auth credentials; no basic auth credentials"},
	{"wrong credentials", func(t *testing.T, s shop) string {
		s.demand("ann", "secret")
		_, err := s.DistributionInspect(t.Context(), s.ref, s.as("ann", "guess"))
		return fmt.Sprint(errdefs.IsUnauthorized(err), " ", err)
	}, "true Error response from daemon: unauthorized"},
	{"right credentials", func(t *testing.T, s shop) string {
		s.demand("ann", "secret")
		asked, err := s.DistributionInspect(t.Context(), s.ref, s.as("ann", "secret"))
		return fmt.Sprint(asked.Descriptor.Digest.String() == s.digest, err, s.pull(t, s.ref, s.as("ann", "secret")))
	}, "true <nil>true"},
}

func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	return rest
}
