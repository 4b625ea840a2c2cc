package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of what a gateway keeps of a sandbox beside its recipe, as the published clients 0.0.116 and 0.1.5 have them.
const (
	servicesSandbox = 1
	servicesSize    = 2 // limit; page_size since 0.1.0
	servicesScope   = 4
	servicesItems   = 1
	servicesPage    = 1000 // what a gateway gives at most

	serviceEndpoint   = 1
	serviceName       = 4
	servicePort       = 5
	serviceDomain     = 6
	serviceAuthorized = 7 // 0.1.x

	exposeSandbox    = 1
	exposeName       = 2
	exposePort       = 3
	exposeDomain     = 4
	exposeScope      = 5
	exposeAuthorized = 7 // 0.1.x

	configSandbox  = 1 // its id; its name since 0.1.0
	configScope    = 3 // 0.1.x
	configSettings = 4
	settingValue   = 1
	settingScope   = 2
	ofSandbox      = 1 // SETTING_SCOPE_SANDBOX

	updateSandbox = 1
	updateKey     = 3
	updateValue   = 4
	updateScope   = 10
)

// Service is a port of a sandbox that its gateway exposes.
type Service struct {
	Name       string `json:"name"`
	Port       uint64 `json:"port"`
	Domain     uint64 `json:"domain,omitempty"`     // 1: under a domain of its own
	Authorized uint64 `json:"authorized,omitempty"` // the authorization mode of 0.1.x
}

// Setting is a setting of a single sandbox; Value is a SettingValue as it came.
type Setting struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// ListServices is the request for the exposed services of a sandbox.
func (v Version) ListServices(name, workspace string) []byte {
	var b builder
	b.text(servicesSandbox, name)
	b.number(servicesSize, servicesPage)
	v.scope(&b, servicesScope, servicesScope, workspace)
	return b
}

// ReadServices reads a ListServicesResponse.
func ReadServices(b []byte) (services []Service, err error) {
	m, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("ListServicesResponse: %w", err)
	}
	items, err := m.Contents(servicesItems)
	for _, item := range items {
		s, err := readService(item)
		if err != nil {
			return nil, fmt.Errorf("ListServicesResponse.services: %w", err)
		}
		services = append(services, s)
	}

	return services, err
}

func readService(item []byte) (s Service, err error) {
	m, err := Parse(item)
	if err == nil {
		m, err = m.Sub(serviceEndpoint)
	}
	if err != nil {
		return s, err
	}
	if s.Name, err = m.Text(serviceName); err != nil {
		return s, err
	}
	for number, value := range map[protowire.Number]*uint64{servicePort: &s.Port, serviceDomain: &s.Domain, serviceAuthorized: &s.Authorized} {
		if *value, err = m.Number(number); err != nil {
			return s, err
		}
	}

	return s, nil
}

// ExposeService is the request to expose a service of a sandbox.
func (v Version) ExposeService(name, workspace string, s Service) []byte {
	var b builder
	b.text(exposeSandbox, name)
	b.text(exposeName, s.Name)
	b.number(exposePort, s.Port)
	b.number(exposeDomain, s.Domain)
	v.scope(&b, exposeScope, exposeScope, workspace)
	if v.Generation == Timestamps {
		b.number(exposeAuthorized, s.Authorized)
	}
	return b
}

// SandboxConfig is the request for the settings that hold in a sandbox: by its id, since 0.1.0 by its name.
func (v Version) SandboxConfig(id, name, workspace string) []byte {
	var b builder
	if v.Generation != Timestamps {
		b.text(configSandbox, id)
		return b
	}
	b.text(configSandbox, name)
	v.scope(&b, configScope, configScope, workspace)
	return b
}

// ReadSettings are the settings of a GetSandboxConfigResponse that were set for the one sandbox, in the order in which
// they came.
func ReadSettings(b []byte) (settings []Setting, err error) {
	m, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("GetSandboxConfigResponse: %w", err)
	}
	entries, err := m.Contents(configSettings)
	for _, entry := range entries {
		s, own, err := readSetting(entry)
		if err != nil {
			return nil, fmt.Errorf("GetSandboxConfigResponse.settings: %w", err)
		}
		if own {
			settings = append(settings, s)
		}
	}

	return settings, err
}

// readSetting reads an entry of map<string, EffectiveSetting>; own is false for what is set for every sandbox, or not
// at all.
func readSetting(entry []byte) (s Setting, own bool, err error) {
	m, err := Parse(entry)
	if err != nil {
		return s, false, err
	}
	if s.Key, err = m.Text(1); err != nil {
		return s, false, err
	}
	effective, err := m.Sub(2)
	if err != nil {
		return s, false, err
	}
	scope, err := effective.Number(settingScope)
	if err != nil {
		return s, false, err
	}
	s.Value, err = effective.Content(settingValue)
	return s, scope == ofSandbox && s.Value != nil, err
}

// SetSetting is the UpdateConfig request that sets one setting of a sandbox.
func (v Version) SetSetting(name, workspace string, s Setting) []byte {
	var b builder
	b.text(updateSandbox, name)
	b.text(updateKey, s.Key)
	b.embed(updateValue, s.Value)
	v.scope(&b, updateScope, updateScope, workspace)
	return b
}
