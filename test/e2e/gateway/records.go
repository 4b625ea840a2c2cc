package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Records are what a gateway's database holds beside its sandboxes: providers, the policies that were set after a
// sandbox was created, and settings. The nil Records hold nothing. They are safe for concurrent use.
type Records struct {
	mu        sync.Mutex
	providers []Provider
	policies  map[string][]Policy // by sandbox id
	settings  map[string]string
	beside    map[string]Beside // by sandbox id
}

// NewRecords holds the given providers.
func NewRecords(providers ...Provider) *Records {
	return &Records{providers: providers, policies: map[string][]Policy{}, settings: map[string]string{}, beside: map[string]Beside{}}
}

// RemoveProvider forgets a provider, as `openshell provider delete` does.
func (r *Records) RemoveProvider(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.providers = slices.DeleteFunc(r.providers, func(p Provider) bool { return p.Name == name })
}

// SetPolicy adds a revision to those of a sandbox, as `openshell policy set` does. The gateway keeps it beside the
// sandbox: the spec goes on showing the policy that the sandbox was created with
// (crates/openshell-server/src/grpc/policy.rs).
func (r *Records) SetPolicy(sandboxID string, content []byte, status PolicyStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policies[sandboxID] = append(r.policies[sandboxID], Policy{Content: content, Status: status})
}

// SetSetting sets a setting of the whole gateway.
func (r *Records) SetSetting(name, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settings[name] = value
}

// Providers are those that there are, in the order of a listing: by creation, then name.
func (r *Records) Providers() []Provider {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(slices.Values(r.providers), func(a, b Provider) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
	})
}

func (r *Records) provider(name string) (Provider, bool) {
	all := r.Providers()
	i := slices.IndexFunc(all, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, false
	}
	return all[i], true
}

func (r *Records) allSettings() map[string]string {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.settings)
}

// PolicyStatus is what became of a revision (enum PolicyStatus).
type PolicyStatus uint64

// The states of a revision.
const (
	PolicyPending PolicyStatus = iota + 1
	PolicyLoaded
	PolicyFailed
	PolicySuperseded
)

// Policy is one revision of a sandbox's policy: a SandboxPolicy in wire form. Version and Created are the gateway's.
type Policy struct {
	Version uint64
	Content []byte
	Status  PolicyStatus
	Created time.Time
}

func (p Policy) hash() string {
	sum := sha256.Sum256(p.Content)
	return hex.EncodeToString(sum[:])
}

// revisions are the policies of a sandbox, oldest first: version 1 is the one in its spec, where it has one.
func (r *Records) revisions(s Sandbox) []Policy {
	var all []Policy
	if content, there := s.policy(); there {
		all = append(all, Policy{Content: content, Status: PolicyLoaded})
	}
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		all = append(all, r.policies[s.ID]...)
	}

	for i := range all {
		all[i].Version, all[i].Created = uint64(i+1), s.Created
	}
	return all
}

// active is the version of the last revision that the sandbox has loaded; 0 when none.
func active(revisions []Policy) uint64 {
	for _, p := range slices.Backward(revisions) {
		if p.Status == PolicyLoaded {
			return p.Version
		}
	}
	return 0
}
