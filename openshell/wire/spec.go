package wire

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Spec is what we read of a SandboxSpec.
type Spec struct {
	Image              string
	Env                map[string]string
	TemplateLabels     map[string]string // what the driver puts on the container; the metadata's labels do not get there
	Providers, Command []string
	Policy             []byte // a message, never taken apart
	DriverConfig       []byte // google.protobuf.Struct
}

// ReadSpec reads a SandboxSpec; what is named here has the same numbers in every generation.
func ReadSpec(b []byte) (Spec, error) {
	m, template, err := openSpec(b)
	if err != nil {
		return Spec{}, err
	}
	var s Spec
	var errs [7]error
	s.Image, errs[0] = template.Text(templateImage)
	s.Env, errs[1] = m.Pairs(specEnvironment)
	s.Providers, errs[2] = m.Texts(specProviders)
	s.Command, errs[3] = m.Texts(specCommand)
	s.Policy, errs[4] = m.Content(specPolicy)
	s.DriverConfig, errs[5] = template.Content(templateDriverConfig)
	s.TemplateLabels, errs[6] = template.Pairs(templateLabels)
	if err := errors.Join(errs[:]...); err != nil {
		return Spec{}, fmt.Errorf("SandboxSpec: %w", err)
	}
	return s, nil
}

func openSpec(b []byte) (spec, template Message, err error) {
	spec, err = Parse(b)
	if err != nil {
		return nil, nil, fmt.Errorf("SandboxSpec: %w", err)
	}
	template, err = spec.Sub(specTemplate)
	if err != nil {
		return nil, nil, fmt.Errorf("SandboxSpec.template: %w", err)
	}
	return spec, template, nil
}

// WithImage is the spec with another image and otherwise the same bytes.
func WithImage(spec []byte, image string) ([]byte, error) {
	return editTemplate(spec, templateImage, []byte(image))
}

// WithDriverConfig is the spec with another driver_config, none when it is empty, and otherwise the same bytes.
func WithDriverConfig(spec, config []byte) ([]byte, error) {
	if len(config) > 0 {
		return editTemplate(spec, templateDriverConfig, config)
	}
	m, template, err := openSpec(spec)
	if err != nil {
		return nil, err
	}
	return m.Replace(specTemplate, template.Without(templateDriverConfig).Encode()).Encode(), nil
}

func editTemplate(spec []byte, number protowire.Number, content []byte) ([]byte, error) {
	m, template, err := openSpec(spec)
	if err != nil {
		return nil, err
	}
	return m.Replace(specTemplate, template.Replace(number, content).Encode()).Encode(), nil
}

// WithEnv is the spec whose environment is exactly env, and otherwise the same bytes.
func WithEnv(spec []byte, env map[string]string) ([]byte, error) {
	m, _, err := openSpec(spec)
	if err != nil {
		return nil, err
	}
	if m, err = m.ReplacePairs(specEnvironment, env); err != nil {
		return nil, fmt.Errorf("SandboxSpec.environment: %w", err)
	}
	return m.Encode(), nil
}

// WithTemplateLabels is the spec whose template labels are exactly labels, and otherwise the same bytes.
func WithTemplateLabels(spec []byte, labels map[string]string) ([]byte, error) {
	m, template, err := openSpec(spec)
	if err != nil {
		return nil, err
	}
	if template, err = template.ReplacePairs(templateLabels, labels); err != nil {
		return nil, fmt.Errorf("SandboxTemplate.labels: %w", err)
	}
	return m.Replace(specTemplate, template.Encode()).Encode(), nil
}
