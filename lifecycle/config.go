package lifecycle

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"sandkeeper/internal/tomlkeys"
)

// OverrideVariable is the environment variable that replaces the list in the configuration: names joined by commas,
// empty for none.
const OverrideVariable = "OPENSHELL_COMPUTE_EXTENSIONS"

// Source is where the configuration of the chain comes from.
type Source struct {
	// File is the name that errors give; Data its content, nil when there is no such file.
	File string
	Data []byte
	// Override is the value of OverrideVariable; Overridden says that it is set, empty or not.
	Override   string
	Overridden bool
}

// ConfigError is a fault in the configuration, with the place: Line counts from 1, and is 0 where the fault is not in
// the file.
type ConfigError struct {
	File string
	Line int
	Err  error
}

// Error begins with file:line.
func (e *ConfigError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

// Unwrap returns the fault.
func (e *ConfigError) Unwrap() error { return e.Err }

// Configure makes the active extensions, in chain order, from the [compute] table:
//
//	[compute]
//	extensions = ["fleet-labels", "workload-identity"]
//
//	[compute.extension."fleet-labels"]
//	labels = { fleet = "prod" }
//	timeout = "45s"
//
// Other tables of the file are not looked at. Every fault (a name that is not linked in, an unknown key, a bad value,
// also in the table of an extension that is not active) is a *ConfigError; all of them are reported together. The links
// beside an error are those without a fault, to be shown: a chain that lacks one is not the configured one. An override
// that is empty switches all extensions off, and with them their tables.
func Configure(registry Registry, source Source) ([]Link, error) {
	var document map[string]any
	if err := toml.Unmarshal(source.Data, &document); err != nil {
		return nil, syntaxError(source, err)
	}
	if source.Overridden && strings.Trim(source.Override, ", \t") == "" {
		return []Link{}, nil
	}
	r := &reader{registry: registry, source: source, lines: tomlkeys.Of(source.Data)}
	compute := r.table(document, "compute")
	for _, key := range slices.Sorted(maps.Keys(compute)) {
		if key != "extensions" && key != "extension" {
			r.fault([]string{"compute", key}, fmt.Errorf("[compute] has no key %q; it knows: extension, extensions", key))
		}
	}

	tables := r.table(compute, "compute", "extension")
	links := []Link{}
	for _, name := range r.active(compute) {
		if link, ok := r.link(name, tables); ok {
			links = append(links, link)
		}
	}

	r.others(tables)
	return links, errors.Join(r.faults...)
}

// reader collects the faults of one configuration.
type reader struct {
	registry Registry
	source   Source
	lines    tomlkeys.Lines
	faults   []error
	done     []string
}

// fault notes an error at the key, or at the nearest table above it that the file has.
func (r *reader) fault(path []string, err error) {
	r.faults = append(r.faults, &ConfigError{File: r.source.File, Line: r.lines.At(path...), Err: err})
}

// table returns the table under the last part of path; absent is empty, anything but a table a fault.
func (r *reader) table(parent map[string]any, path ...string) map[string]any {
	value, ok := parent[path[len(path)-1]]
	if !ok {
		return nil
	}
	table, ok := value.(map[string]any)
	if !ok {
		r.fault(path, fmt.Errorf("%s must be a table", strings.Join(path, ".")))
	}
	return table
}

// active returns the names of the chain, each of them linked in and there once.
func (r *reader) active(compute map[string]any) []string {
	path := []string{"compute", "extensions"}
	names, complain := r.overriding()
	if !r.source.Overridden {
		names = r.list(compute["extensions"], path)
		complain = func(err error) { r.fault(path, err) }
	}
	chain := []string{}
	for _, name := range names {
		switch _, linked := r.registry.find(name); {
		case !linked:
			complain(r.unknown(name))
		case slices.Contains(chain, name):
			complain(fmt.Errorf("extension %q is in the list twice", name))
		default:
			chain = append(chain, name)
		}
	}

	return chain
}

func (r *reader) overriding() (names []string, complain func(error)) {
	for name := range strings.SplitSeq(r.source.Override, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names, func(err error) {
		r.faults = append(r.faults, &ConfigError{File: OverrideVariable, Err: err})
	}
}

func (r *reader) list(value any, path []string) (names []string) {
	if value == nil {
		return nil
	}
	items, ok := value.([]any)
	for _, item := range items {
		name, isText := item.(string)
		ok = ok && isText
		names = append(names, name)
	}

	if !ok {
		r.fault(path, errors.New("extensions must be a list of names"))
		return nil
	}
	return names
}

func (r *reader) unknown(name string) error {
	return fmt.Errorf("extension %q is not linked into this build; known: %s", name, strings.Join(r.registry.Names(), ", "))
}

// link makes one active extension from its table.
func (r *reader) link(name string, tables map[string]any) (Link, bool) {
	d, _ := r.registry.find(name)
	before := len(r.faults)
	table, timeout := r.split(d, tables)
	if len(r.faults) > before {
		return Link{}, false
	}
	extension, err := d.build(table)
	if err != nil {
		r.refused(d, err)
		return Link{}, false
	}
	return Link{Name: name, Extension: extension, Reads: d.Reads, Timeout: timeout}, true
}

// others checks the tables of extensions that are not active: their names, keys and types.
func (r *reader) others(tables map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		d, linked := r.registry.find(name)
		if !linked {
			r.fault([]string{"compute", "extension", name}, r.unknown(name))
			continue
		}
		if slices.Contains(r.done, name) {
			continue
		}
		before := len(r.faults)
		table, _ := r.split(d, tables)
		if len(r.faults) > before {
			continue
		}
		if err := d.check(table); err != nil {
			r.refused(d, err)
		}
	}
}

// split takes the chain's own key out of an extension's table, and returns the rest as TOML.
func (r *reader) split(d Definition, tables map[string]any) (rest []byte, timeout time.Duration) {
	path := []string{"compute", "extension", d.Name}
	r.done = append(r.done, d.Name)
	table := maps.Clone(r.table(tables, path...))
	if value, ok := table["timeout"]; ok {
		timeout = r.timeout(value, append(path, "timeout"))
		delete(table, "timeout")
	}
	rest, err := toml.Marshal(table)
	if err != nil {
		r.fault(path, err)
	}
	return rest, timeout
}

func (r *reader) timeout(value any, path []string) time.Duration {
	text, _ := value.(string)
	timeout, err := time.ParseDuration(text)
	if err != nil || timeout <= 0 {
		r.fault(path, fmt.Errorf("timeout must be a positive duration such as %s, not %v", strconv.Quote("45s"), value))
	}
	return timeout
}
