package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// InexpressibleError means that a gateway's version has no words for a part of a recipe: it would ignore it, and the
// sandbox would not be what it was.
type InexpressibleError struct {
	What    string // "labels"
	Version string // of the gateway
	Spoken  string // by whom it is understood, "0.0.37 and newer"
}

// Error names the part and the versions.
func (e *InexpressibleError) Error() string {
	return fmt.Sprintf("OpenShell %s cannot be told %s: only %s can", e.Version, e.What, e.Spoken)
}

func (v Version) cannot(what, since string) error {
	return &InexpressibleError{What: what, Version: v.Text, Spoken: since + " and newer"}
}

// span is the versions 0.0.since to 0.0.until in which a field existed; until 0 means that it still does.
type span struct {
	field        protowire.Number
	name         string
	since, until uint64
}

var specSpans = []span{
	{specGPUDevice, "a GPU device", 37, 60},
	{specCommand, "the main command", 111, 0},
	{specTTY, "a terminal for the main command", 111, 0},
}

var templateSpans = []span{
	{templatePod, "a pod template", 0, 12},
	{templateVolumeClaims, "volume claim templates", 0, 73},
	{templateUserNamespaces, "user namespaces", 37, 0},
	{templateDriverConfig, "a driver configuration", 58, 0},
}

// FitSpec is a spec, read from a gateway of whatever version, as this version must be sent it: otherwise the same
// bytes. The number of `bool gpu` means a message since 0.0.69; and the identity of a provider attachment belongs to
// the gateway and to the sandbox that was.
func (v Version) FitSpec(spec []byte) ([]byte, error) {
	m, template, err := openSpec(spec)
	if err != nil {
		return nil, err
	}
	if err := v.fits(m, specSpans); err != nil {
		return nil, err
	}
	if err := v.fits(template, templateSpans); err != nil {
		return nil, err
	}
	if m, err = v.fitGPU(m); err != nil {
		return nil, err
	}
	return m.Without(specEpoch).Encode(), nil
}

func (v Version) fits(m Message, spans []span) error {
	for _, s := range spans {
		if !m.Has(s.field) {
			continue
		}
		if !v.Since(s.since) {
			return v.cannot(s.name, fmt.Sprintf("0.0.%d", s.since))
		}
		if s.until > 0 && v.Since(s.until+1) {
			return &InexpressibleError{What: s.name, Version: v.Text, Spoken: fmt.Sprintf("0.0.%d and older", s.until)}
		}
	}
	return nil
}

func (v Version) fitGPU(m Message) (Message, error) {
	message := v.Since(69)
	for f, err := range m.all(specResources, protowire.VarintType) {
		switch {
		case err != nil && !message:
			return nil, v.cannot("resource requirements", "0.0.69")
		case err == nil && message && f.Varint == 0:
			return m.Without(specResources), nil
		case err == nil && message:
			var resources builder
			resources.embed(resourcesGPU, nil)
			return m.Replace(specResources, resources), nil
		}
	}
	return m, nil
}
