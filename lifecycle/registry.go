package lifecycle

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"sandkeeper/internal/pattern"
)

var extensionName = pattern.Of(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Definition is an extension that is linked into the program: its name, and how it is made from its configuration
// table.
type Definition struct {
	// Name is what [compute] extensions lists: lower-case words joined by "-".
	Name string
	// Summary says in one line what it does.
	Summary string
	// Reads are the schema versions of state that it understands, with the one it writes.
	Reads []uint32

	keys  []string
	build func(table []byte) (Extension, error)
	check func(table []byte) error
	sinks *Sinks // of a Definition that is no extension
}

// Define makes a Definition. C is the extension's configuration: a struct whose fields have toml tags; the key
// "timeout" belongs to the chain. build gets it filled from [compute.extension."name"], and refuses a bad value with
// BadValue.
func Define[C any](name, summary string, reads []uint32, build func(C) (Extension, error)) Definition {
	return Definition{
		Name: name, Summary: summary, Reads: slices.Clone(reads), keys: tomlKeys(reflect.TypeFor[C]()),
		check: func(table []byte) error { return decodeStrict(table, new(C)) },
		build: func(table []byte) (Extension, error) {
			var config C
			if err := decodeStrict(table, &config); err != nil {
				return nil, err
			}
			return build(config)
		},
	}
}

// ValueError is a configuration value that an extension refuses. Configure adds file and line.
type ValueError struct {
	Key string
	Err error
}

// Error names the key.
func (e *ValueError) Error() string { return fmt.Sprintf("%s: %v", e.Key, e.Err) }

// Unwrap returns the cause.
func (e *ValueError) Unwrap() error { return e.Err }

// BadValue refuses the value of a key of the extension's table; nested keys are joined by ".".
func BadValue(key, format string, args ...any) error {
	return &ValueError{Key: key, Err: fmt.Errorf(format, args...)}
}

func tomlKeys(t reflect.Type) []string {
	keys := []string{"timeout"}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
		if field.IsExported() && name != "-" {
			keys = append(keys, cmp.Or(name, field.Name))
		}
	}

	slices.Sort(keys)
	return keys
}

// Registry is the set of extensions that are linked in, and the sinks that came with them. It is a value: a downstream
// makes its own.
type Registry struct {
	definitions []Definition
	sinks       Sinks
}

// NewRegistry checks the definitions and returns the set.
func NewRegistry(definitions ...Definition) (Registry, error) {
	for i, d := range definitions {
		if !extensionName().MatchString(d.Name) {
			return Registry{}, fmt.Errorf("extension name %q is not lower-case words joined by %q", d.Name, "-")
		}
		if d.build == nil && d.sinks == nil {
			return Registry{}, fmt.Errorf("extension %q was not made by Define or DefineSinks", d.Name)
		}
		if slices.ContainsFunc(definitions[:i], func(other Definition) bool { return other.Name == d.Name }) {
			return Registry{}, fmt.Errorf("extension %q is linked in twice", d.Name)
		}
	}

	extensions := slices.DeleteFunc(slices.Clone(definitions), func(d Definition) bool { return d.sinks != nil })
	return Registry{definitions: extensions, sinks: SinksOf(definitions)}, nil
}

// Sinks are those that definitions of this set link in.
func (r Registry) Sinks() Sinks { return r.sinks }

// Names returns the names of what is linked in, sorted.
func (r Registry) Names() []string {
	names := make([]string, len(r.definitions))
	for i, d := range r.definitions {
		names[i] = d.Name
	}
	slices.Sort(names)
	return names
}

func (r Registry) find(name string) (Definition, bool) {
	i := slices.IndexFunc(r.definitions, func(d Definition) bool { return d.Name == name })
	if i < 0 {
		return Definition{}, false
	}
	return r.definitions[i], true
}

// Listing is one linked extension as `extensions list` shows it.
type Listing struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	Active  bool   `json:"active"`
	// Order is its place in the chain from 1; 0 when it is not active.
	Order int `json:"order"`
	// TimeoutMs is the deadline of each phase, 0 when it is not active.
	TimeoutMs int64    `json:"timeoutMs"`
	Reads     []uint32 `json:"schemaVersions"`
}

// listed is versions as a list of JSON, which is never null.
func listed(versions []uint32) []uint32 { return append([]uint32{}, versions...) }

// List returns every linked extension: the active ones in chain order, then the others by name.
func (r Registry) List(active []Link) []Listing {
	listings := []Listing{}
	for i, link := range active {
		d, _ := r.find(link.Name)
		listings = append(listings, Listing{
			Name: link.Name, Summary: d.Summary, Active: true, Order: i + 1,
			TimeoutMs: link.timeout().Milliseconds(), Reads: listed(link.Reads),
		})
	}

	for _, name := range r.Names() {
		if !slices.ContainsFunc(active, func(l Link) bool { return l.Name == name }) {
			d, _ := r.find(name)
			listings = append(listings, Listing{Name: name, Summary: d.Summary, Reads: listed(d.Reads)})
		}
	}
	return listings
}
