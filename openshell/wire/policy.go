package wire

import "fmt"

// PolicyRevision is one revision of a sandbox's policy. A gateway keeps what was set after the creation beside the
// sandbox, whose spec goes on showing the first one (crates/openshell-server/src/grpc/policy.rs).
type PolicyRevision struct {
	Version uint64
	Failed  bool   // the sandbox could not load it, and goes on with an earlier one
	Policy  []byte // SandboxPolicy as it came; nil when the answer holds none
	Active  uint64 // version of the revision that the sandbox has loaded; 0 when none is known
}

// policyFailed is POLICY_STATUS_FAILED.
const policyFailed = 3

// PolicyStatus is the request for one revision of a sandbox's policy, the latest for revision 0.
func (v Version) PolicyStatus(name, workspace string, revision uint64) []byte {
	var b builder
	b.text(nameName, name)
	b.number(policyVersion, revision)
	v.scope(&b, policyWorkspace, policyWorkspace, workspace)
	return b
}

// ReadPolicyRevision reads a GetSandboxPolicyStatusResponse.
func ReadPolicyRevision(b []byte) (PolicyRevision, error) {
	r, err := readRevision(b)
	if err != nil {
		return PolicyRevision{}, fmt.Errorf("GetSandboxPolicyStatusResponse: %w", err)
	}
	return r, nil
}

func readRevision(b []byte) (PolicyRevision, error) {
	var r PolicyRevision
	m, err := Parse(b)
	if err != nil {
		return r, err
	}
	if r.Active, err = m.Number(policyActive); err != nil {
		return r, err
	}
	revision, err := m.Sub(policyRevision)
	if err != nil {
		return r, err
	}
	status, err := revision.Number(revisionStatus)
	if err != nil {
		return r, err
	}
	r.Failed = status == policyFailed
	if r.Version, err = revision.Number(revisionVersion); err != nil {
		return r, err
	}
	r.Policy, err = revision.Content(revisionPolicy)
	return r, err
}

// WithPolicy is the spec with another policy and otherwise the same bytes.
func WithPolicy(spec, policy []byte) ([]byte, error) {
	m, err := Parse(spec)
	if err != nil {
		return nil, fmt.Errorf("SandboxSpec: %w", err)
	}
	return m.Replace(specPolicy, policy).Encode(), nil
}

// RunAs is the user in whose name a SandboxPolicy lets the agent run; "" when it names none.
func RunAs(policy []byte) (string, error) {
	m, err := Parse(policy)
	if err != nil {
		return "", fmt.Errorf("SandboxPolicy: %w", err)
	}
	process, err := m.Sub(policyProcess)
	if err != nil {
		return "", fmt.Errorf("SandboxPolicy.process: %w", err)
	}
	user, err := process.Text(processUser)
	if err != nil {
		return "", fmt.Errorf("SandboxPolicy.process.run_as_user: %w", err)
	}
	return user, nil
}
