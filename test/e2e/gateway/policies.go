package gateway

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// policySchema is GetSandboxPolicyStatusRequest of a version.
func policySchema(version string) schema {
	return schema{1: {"name", lengthed, toName}, 2: {"version", varint, toRevision}, 3: {"global", varint, toGlobal}}.scoped(version, 4)
}

// policiesSchema is ListSandboxPoliciesRequest of a version.
func policiesSchema(version string) schema {
	s := schema{1: {"name", lengthed, toName}, 2: {"limit", varint, toLimit}, 3: {"offset", varint, toOffset}, 4: {"global", varint, toGlobal}}
	if GenerationOf(version) == Timestamps {
		s[3] = slot{"page_token", lengthed, toToken}
	}
	return s.scoped(version, 5)
}

// policyStatus answers one revision of a sandbox's policy, the latest for version 0.
func (s *Server) policyStatus(ctx context.Context, in message) (message, error) {
	r, err := policySchema(s.Version).read("GetSandboxPolicyStatusRequest", in)
	if err != nil {
		return nil, err
	}
	if r.global {
		return nil, status.Error(codes.NotFound, "no global policy revision found")
	}
	sandbox, err := s.named(ctx, r)
	if err != nil {
		return nil, err
	}
	all := s.Records.revisions(sandbox)
	wanted := r.revision
	if wanted == 0 {
		wanted = uint64(len(all))
	}
	i := slices.IndexFunc(all, func(p Policy) bool { return p.Version == wanted })
	if i < 0 {
		return nil, status.Error(codes.NotFound, "no policy revision found for this sandbox")
	}
	var m message
	m.embed(1, all[i].encode(s.Version, true))
	m.number(2, active(all))
	return m, nil
}

func (s *Server) listPolicies(ctx context.Context, in message) (message, error) {
	r, err := policiesSchema(s.Version).read("ListSandboxPoliciesRequest", in)
	if err != nil || r.global {
		return nil, err
	}
	sandbox, err := s.named(ctx, r)
	if err != nil {
		return nil, err
	}
	var m message
	for _, p := range slices.Backward(s.Records.revisions(sandbox)) {
		m.embed(1, p.encode(s.Version, false))
	}
	return m, nil
}

// encode is p as a SandboxPolicyRevision; only an answer about one revision has the policy itself in it.
func (p Policy) encode(version string, whole bool) message {
	var m message
	m.number(1, p.Version)
	m.text(2, p.hash())
	m.number(3, uint64(p.Status))
	if GenerationOf(version) == Timestamps {
		m.timestamp(105, p.Created)
	} else {
		m.number(5, uint64(p.Created.UnixMilli()))
	}

	if whole {
		m.embed(7, p.Content)
	}
	return m
}

// policySourceSandbox is POLICY_SOURCE_SANDBOX, the scopes are those of SettingScope.
const (
	policySourceSandbox = 1
	settingScopeSandbox = 1
	settingScopeGlobal  = 2
)

// sandboxConfig answers what a sandbox's supervisor, and `policy get`, ask for: the policy in force and the settings.
func (s *Server) sandboxConfig(ctx context.Context, in message) (message, error) {
	asked := schema{1: {"sandbox_id", lengthed, toName}}
	if GenerationOf(s.Version) == Timestamps {
		asked = asked.scoped(s.Version, 3)
	}
	r, err := asked.read("GetSandboxConfigRequest", in)
	if err != nil {
		return nil, err
	}
	sandbox, err := s.named(ctx, r)
	if err != nil {
		return nil, err
	}
	var m message
	if all := s.Records.revisions(sandbox); len(all) > 0 {
		latest := all[len(all)-1]
		m.embed(1, latest.Content)
		m.number(2, latest.Version)
		m.text(3, latest.hash())
	}

	settings := s.Records.allSettings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		m.embed(4, effectiveSetting(name, settings[name], settingScopeGlobal))
	}
	own := s.Records.Beside(sandbox.ID).Settings
	for _, name := range slices.Sorted(maps.Keys(own)) {
		m.embed(4, effectiveSetting(name, own[name], settingScopeSandbox))
	}
	m.number(5, 1)
	m.number(6, policySourceSandbox)
	return m, nil
}

// effectiveSetting is an entry of map<string, EffectiveSetting>.
func effectiveSetting(name, value string, scope uint64) message {
	var entry, effective message
	effective.embed(1, stringValue(value))
	effective.number(2, scope)
	entry.text(1, name)
	entry.embed(2, effective)
	return entry
}

func (s *Server) gatewayConfig(context.Context, message) (message, error) {
	var m message
	settings := s.Records.allSettings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		var entry message
		entry.text(1, name)
		entry.embed(2, stringValue(settings[name]))
		m.embed(1, entry)
	}

	m.number(2, uint64(len(settings)))
	return m, nil
}

// stringValue is a SettingValue.
func stringValue(text string) message {
	var m message
	m.text(1, text)
	return m
}
