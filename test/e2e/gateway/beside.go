package gateway

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Service is an exposed port of a sandbox.
type Service struct {
	Name string
	Port uint64
}

// Beside is what a gateway keeps of one sandbox beside its recipe.
type Beside struct {
	Services []Service
	Settings map[string]string
}

// Beside is what is kept of a sandbox.
func (r *Records) Beside(sandboxID string) Beside {
	if r == nil {
		return Beside{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.beside[sandboxID]
	return Beside{Services: slices.Clone(kept.Services), Settings: maps.Clone(kept.Settings)}
}

// Expose exposes a service of a sandbox; false when there is one of that name.
func (r *Records) Expose(sandboxID string, service Service) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.beside[sandboxID]
	if slices.ContainsFunc(kept.Services, func(s Service) bool { return s.Name == service.Name }) {
		return false
	}
	kept.Services = append(kept.Services, service)
	r.beside[sandboxID] = kept
	return true
}

// Set sets a setting of one sandbox.
func (r *Records) Set(sandboxID, name, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.beside[sandboxID]
	if kept.Settings == nil {
		kept.Settings = map[string]string{}
	}
	kept.Settings[name] = value
	r.beside[sandboxID] = kept
}

// Settings are those of the whole gateway.
func (r *Records) Settings() map[string]string { return r.allSettings() }

func (s *Server) listServices(ctx context.Context, in message) (message, error) {
	asked := schema{1: {"sandbox", lengthed, toName}, 2: {"limit", varint, toLimit}}.scoped(s.Version, 4)
	if GenerationOf(s.Version) != Timestamps {
		asked[5] = slot{"all_workspaces", varint, toAllWorkspaces}
	}
	r, err := asked.read("ListServicesRequest", in)
	if err != nil {
		return nil, err
	}
	all, err := s.within(ctx, r)
	if err != nil {
		return nil, err
	}
	var m message
	for _, sandbox := range all {
		if r.name != "" && sandbox.Name != r.name {
			continue
		}
		for _, service := range s.Records.Beside(sandbox.ID).Services {
			var endpoint, item message
			endpoint.text(2, sandbox.ID)
			endpoint.text(3, sandbox.Name)
			endpoint.text(4, service.Name)
			endpoint.number(5, service.Port)
			item.embed(1, endpoint)
			m.embed(1, item)
		}
	}

	return m, nil
}

func (s *Server) exposeService(ctx context.Context, in message) (message, error) {
	asked := schema{1: {"sandbox", lengthed, toName}, 2: {"service", lengthed, toServiceName}, 3: {"target_port", varint, toServicePort}}.scoped(s.Version, 5)
	r, err := asked.read("ExposeServiceRequest", in)
	if err != nil {
		return nil, err
	}
	sandbox, err := s.named(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case s.Records == nil:
		return nil, status.Error(codes.Unimplemented, "")
	case !s.Records.Expose(sandbox.ID, r.service):
		return nil, status.Errorf(codes.AlreadyExists, "service '%s' already exists", r.service.Name)
	}

	return nil, nil
}

// updateConfig sets one setting, of a sandbox or of the whole gateway.
func (s *Server) updateConfig(ctx context.Context, in message) (message, error) {
	asked := schema{
		1: {"sandbox", lengthed, toName}, 3: {"setting_key", lengthed, toSetting}, 4: {"setting_value", lengthed, toValue}, 6: {"global", varint, toGlobal},
	}.scoped(s.Version, 10)
	r, err := asked.read("UpdateConfigRequest", in)
	if err != nil {
		return nil, err
	}
	value, err := textOf(r.value)
	switch {
	case err != nil:
		return nil, err
	case s.Records == nil || r.setting == "":
		return nil, status.Error(codes.Unimplemented, "")
	case r.global:
		s.Records.SetSetting(r.setting, value)
		return nil, nil
	}

	sandbox, err := s.named(ctx, r)
	if err == nil {
		s.Records.Set(sandbox.ID, r.setting, value)
	}
	return nil, err
}

// textOf is the text of a SettingValue.
func textOf(value []byte) (string, error) {
	fields, err := decode(value)
	if err != nil {
		return "", undecodable("SettingValue", "", err)
	}
	for _, f := range fields {
		if f.number == 1 {
			return string(f.bytes), nil
		}
	}
	return "", status.Error(codes.InvalidArgument, "only texts are kept")
}
