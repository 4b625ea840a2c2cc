package lifecycle

import (
	"fmt"
	"path"
	"strings"
	"sync"

	"sandkeeper/internal/pattern"
)

// gatewayOwner is the owner of everything that was in the request before the first extension, as refusals name it.
const gatewayOwner = "the gateway"

var envName = pattern.Of(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Addition is one thing that an extension added to a request.
type Addition struct {
	Extension string `json:"extension"`
	// Kind is "env", "label", "annotation" or "mount"; Key is its name, for a mount its target.
	Kind  string `json:"kind"`
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
	Mount *Mount `json:"mount,omitempty"`
}

// Builder is how an extension adds to a request: there is no way to remove, and adding where something else is already
// set is refused with the names of both owners. Adding exactly what is set already changes nothing and is allowed, so
// that a sandbox recreated from a recipe that still carries an earlier addition is not refused. It stops working when
// its phase ends.
type Builder struct {
	mu     sync.Mutex
	owner  string
	base   Request
	owners map[string]string
	added  []Addition
	sealed bool
}

func newBuilder(owner string, request Request, earlier []Addition) *Builder {
	b := &Builder{owner: owner, base: request.clone(), owners: map[string]string{}}
	for _, addition := range earlier {
		b.owners[addition.Kind+" "+addition.Key] = addition.Extension
	}
	return b
}

// Request returns a copy of the request as it is now: what the gateway set, and what this and earlier extensions added.
func (b *Builder) Request() Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.base.clone()
}

// AddEnv sets an environment variable of the sandbox.
func (b *Builder) AddEnv(name, value string) error {
	if !envName().MatchString(name) || strings.ContainsRune(value, 0) {
		return fmt.Errorf("extension %q: env %q is not a variable name with a value that a process can have", b.owner, name)
	}
	return b.add(Addition{Extension: b.owner, Kind: "env", Key: name, Value: value})
}

// AddLabel sets a label of the sandbox.
func (b *Builder) AddLabel(key, value string) error {
	if key == "" {
		return fmt.Errorf("extension %q: a label without a key cannot be added", b.owner)
	}
	return b.add(Addition{Extension: b.owner, Kind: "label", Key: key, Value: value})
}

// AddAnnotation sets an annotation of the sandbox.
func (b *Builder) AddAnnotation(key, value string) error {
	if key == "" {
		return fmt.Errorf("extension %q: an annotation without a key cannot be added", b.owner)
	}
	return b.add(Addition{Extension: b.owner, Kind: "annotation", Key: key, Value: value})
}

// AddMount makes a source visible in the sandbox; its target must be a clean absolute path other than "/".
func (b *Builder) AddMount(mount Mount) error {
	if mount.Source == "" || !path.IsAbs(mount.Target) || path.Clean(mount.Target) != mount.Target || mount.Target == "/" {
		return fmt.Errorf("extension %q: mount of %q at %q needs a source and a clean absolute target", b.owner, mount.Source, mount.Target)
	}
	return b.add(Addition{Extension: b.owner, Kind: "mount", Key: mount.Target, Mount: &mount})
}

func (b *Builder) add(a Addition) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed {
		return fmt.Errorf("extension %q: %s %q came after its phase had ended", a.Extension, a.Kind, a.Key)
	}
	if a.reserved(b.base.Home) {
		return refusal(a, gatewayOwner)
	}
	same, taken := a.in(b.base)
	if same {
		return nil
	}
	if taken {
		return refusal(a, b.ownerOf(a))
	}
	a.apply(&b.base)
	b.owners[a.Kind+" "+a.Key] = a.Extension
	b.added = append(b.added, a)
	return nil
}

func (b *Builder) ownerOf(a Addition) string {
	if owner, ok := b.owners[a.Kind+" "+a.Key]; ok {
		return fmt.Sprintf("extension %q", owner)
	}
	return gatewayOwner
}

// seal ends the phase: later calls are refused, and what was added so far is returned.
func (b *Builder) seal() (Request, []Addition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	return b.base.clone(), b.added
}

func refusal(a Addition, owner string) error {
	return fmt.Errorf("extension %q may not set %s %q, which belongs to %s: %w", a.Extension, a.Kind, a.Key, owner, ErrRefusedAddition)
}
