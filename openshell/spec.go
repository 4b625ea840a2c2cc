package openshell

import (
	"fmt"
	"maps"
	"slices"

	"sandkeeper/openshell/wire"
)

// InexpressibleError names a part of a recipe that a gateway's version, or its compute driver, cannot be told.
type InexpressibleError = wire.InexpressibleError

// Spec is what a sandbox was made from, read out of its spec for people and manifests. The spec itself decides; of the
// environment only the names are here, because the values may be secrets.
type Spec struct {
	Image     string // "" when the gateway's default image was taken
	EnvNames  []string
	Providers []string
	Command   []string
	Policy    []byte  // a message in wire form; nil when the gateway's default policy was taken
	Mounts    []Mount // of the driver configuration
	// RunAs is the user that the policy runs the agent as; "" leaves it to the image.
	RunAs string
}

// ReadSpec reads the spec.
func (s RawSandbox) ReadSpec() (Spec, error) {
	spec, err := wire.ReadSpec(s.Spec)
	if err != nil {
		return Spec{}, fmt.Errorf("recipe of sandbox %q: %w", s.Name, err)
	}
	mounts, err := readMounts(spec.DriverConfig)
	if err != nil {
		return Spec{}, fmt.Errorf("recipe of sandbox %q: %w", s.Name, err)
	}
	user, err := wire.RunAs(spec.Policy)
	if err != nil {
		return Spec{}, fmt.Errorf("recipe of sandbox %q: %w", s.Name, err)
	}
	return Spec{
		Image: spec.Image, EnvNames: slices.Sorted(maps.Keys(spec.Env)), Providers: spec.Providers, Command: spec.Command,
		Policy: spec.Policy, Mounts: mounts, RunAs: user,
	}, nil
}

// DriverConfig is the driver configuration of a spec as it came, empty where there is none.
func DriverConfig(spec []byte) ([]byte, error) {
	read, err := wire.ReadSpec(spec)
	return read.DriverConfig, err
}

// WithoutDriverConfig is the spec without its driver configuration.
func WithoutDriverConfig(spec []byte) ([]byte, error) { return wire.WithDriverConfig(spec, nil) }

// FitsStable says what a gateway of 0.1.x cannot be told of a spec: an *InexpressibleError; nil when it can be told
// everything.
func FitsStable(spec []byte) error {
	_, err := wire.VersionOf("0.1.0").FitSpec(spec)
	return err
}

// Changes are what differs between a recipe and the sandbox to be made from it. All the rest of the spec keeps its
// bytes.
type Changes struct {
	Image string // "" leaves the image
	// Env is the whole environment of the new sandbox; nil leaves it.
	Env map[string]string
	// Labels are set on the backend object (the container), Unlabelled are taken off it. Labels of the metadata never
	// get there.
	Labels     map[string]string
	Unlabelled []string
	// Mounts are added to those of the spec; Driver is the compute driver that shall make them, "docker" or "podman".
	// Unmounted are taken out of the spec, for whichever driver they are.
	Mounts, Unmounted []Mount
	Driver            string
}

// Apply returns the spec with the changes. What the driver cannot be told is an *InexpressibleError.
func (c Changes) Apply(spec []byte) ([]byte, error) {
	var err error
	if c.Image != "" {
		if spec, err = wire.WithImage(spec, c.Image); err != nil {
			return nil, err
		}
	}

	if c.Env != nil {
		if spec, err = wire.WithEnv(spec, c.Env); err != nil {
			return nil, err
		}
	}

	if spec, err = c.label(spec); err != nil {
		return nil, err
	}
	if len(c.Unmounted) > 0 {
		if spec, err = withoutMounts(spec, c.Unmounted); err != nil {
			return nil, err
		}
	}

	if len(c.Mounts) == 0 {
		return spec, nil
	}
	return withMounts(spec, c.Driver, c.Mounts)
}

// label leaves a spec alone whose template labels are right already.
func (c Changes) label(spec []byte) ([]byte, error) {
	read, err := wire.ReadSpec(spec)
	if err != nil {
		return nil, err
	}
	labels := maps.Clone(read.TemplateLabels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, c.Labels)
	for _, name := range c.Unlabelled {
		delete(labels, name)
	}
	if maps.Equal(labels, read.TemplateLabels) {
		return spec, nil
	}
	return wire.WithTemplateLabels(spec, labels)
}
