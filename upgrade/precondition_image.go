package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sandkeeper/engine"
)

// image needs the new image here, or in a registry that gives it to us.
func (p *precheck) image(ctx context.Context) {
	if p.entry.Way == ByNemoClaw {
		return // NemoClaw builds it
	}
	if p.entry.Image == "" {
		p.entry.warn("its recipe names no image: the gateway takes its default, which cannot be looked at beforehand")
		return
	}
	_, err := p.Engine.ImageID(ctx, p.entry.Image)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.pullable(ctx)
	case err != nil:
		p.problem(NeedImage, "", "%v", err)
	}
}

// pullable needs a registry to have the image. How large it is nobody says before it is pulled: a manifest has the
// sizes of what is sent, not of what it becomes.
func (p *precheck) pullable(ctx context.Context) {
	image := p.entry.Image
	if builtHere(image) {
		p.problem(NeedImage, "", "image %q is not on this host, and it was made here: no registry is asked for a name that anybody could have taken there", image)
		return
	}
	digest, err := p.asked.registry(ctx, p.Engine, image)
	if err != nil {
		p.problem(NeedImage, p.pullFix(image, err), "image %q is not on this host, and cannot be pulled: %v", image, err)
		return
	}
	p.entry.Pull = digest
	p.entry.warn(fmt.Sprintf("image %q must be pulled; whether the container engine's disk has room for it is not known beforehand", image))
}

// pullFix is the command that lets us in, or that shows what is in the way and works as soon as it is gone.
func (p *precheck) pullFix(image string, err error) string {
	registry := engine.RegistryOf(image)
	switch {
	case !errors.Is(err, engine.ErrRegistryDenied):
		return p.program() + " pull " + image
	case registry == engine.RegistryOf("any"):
		return "docker login" // without an argument it is Docker Hub
	}
	return "docker login " + registry
}

// builtHere reports a name that openshell, nemoclaw or we give to images that are made on the host. Docker would look
// for it on Docker Hub, where its owner may be anybody.
func builtHere(image string) bool {
	repository, _, _ := strings.Cut(image, ":")
	return strings.HasPrefix(image, rollbackPrefix) || slices.Contains([]string{"openshell/sandbox-from", "nemoclaw-sandbox-local"}, repository)
}

// asked are the answers of registries: many sandboxes have one image, and a registry that is not there lets us wait.
type asked map[string]registryAnswer

type registryAnswer struct {
	digest string
	err    error
}

func (a asked) registry(ctx context.Context, engine Engine, image string) (string, error) {
	known, before := a[image]
	if !before {
		known.digest, known.err = engine.Pullable(ctx, image)
		a[image] = known
	}
	return known.digest, known.err
}
