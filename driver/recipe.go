package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
)

// Recipe is what a gateway was told to make a sandbox from, as its own API gave it back. Only the named fields are read
// or changed; whatever else the gateway sent lies in Spec and is sent back as it was.
type Recipe struct {
	SandboxID string `json:"sandboxId"`
	Name      string `json:"name"`
	Gateway   string `json:"gateway"`
	Workspace string `json:"workspace,omitempty"`
	// Image is the reference in Spec's template; "" when the gateway's default image was taken.
	Image string `json:"image"`
	// Spec is the SandboxSpec in protobuf wire form, with every field that we do not know (docs/facts/openshell.md
	// 3.2).
	Spec        []byte            `json:"spec"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// EnvNames, Providers, Command and Policy are read out of Spec, for people and for manifests; Spec decides.
	EnvNames  []string `json:"envNames,omitempty"`
	Providers []string `json:"providers,omitempty"`
	Command   []string `json:"command,omitempty"`
	Policy    []byte   `json:"policy,omitempty"`
	// Phase is what the gateway called the sandbox's condition when it told the recipe, Served the gateway's version
	// then; "": not known.
	Phase  string `json:"phase,omitempty"`
	Served string `json:"served,omitempty"`
	// Added is what extensions had added to it: whoever makes the sandbox again takes it out first, for today's
	// additions to apply.
	Added []lifecycle.Addition `json:"added,omitempty"`
	// Withheld names the variables whose values somebody has taken out of Spec: there they are missing altogether.
	Withheld []string `json:"withheld,omitempty"`
}

// Recipes reads the recipe of a sandbox from its gateway. An error that wraps fs.ErrNotExist says that the gateway has
// no such sandbox.
type Recipes interface {
	Recipe(ctx context.Context, at Place, name string) (Recipe, error)
}

// Numbers of the fields of SandboxSpec and SandboxTemplate that are read or changed here; they are the same in every
// generation (docs/facts/openshell.md 3.2).
const (
	specEnvironment = 5
	specTemplate    = 6
	templateImage   = 1
)

// With is the same recipe with another image. Nothing else of Spec changes, not even the order of what is unknown.
func (r Recipe) With(image string) (Recipe, error) {
	fields, err := splitMessage(r.Spec)
	if err != nil {
		return r, fmt.Errorf("recipe of sandbox %q: %w", r.Name, err)
	}
	last := -1
	for i, f := range fields {
		if f.number != specTemplate || f.kind != protowire.BytesType {
			continue
		}
		last = i
		if fields[i].value, err = withoutField(f.value, templateImage); err != nil {
			return r, fmt.Errorf("recipe of sandbox %q: template: %w", r.Name, err)
		}
	}

	if last < 0 {
		last = len(fields)
		fields = append(fields, field{number: specTemplate, kind: protowire.BytesType})
	}
	value := protowire.AppendTag(nil, templateImage, protowire.BytesType)
	fields[last].value = append(protowire.AppendString(value, image), fields[last].value...)
	r.Image, r.Spec = image, joinMessage(fields)
	return r, nil
}

// Request is what a driver is asked to create. Its Labels, Annotations, Env and Mounts are the whole truth: the driver
// writes them over what the recipe says, so that extensions can add to them and take back what they added. All the rest
// is the recipe itself, encoded in Spec; DecodeRecipe reads it there. The sandbox gets a new id from its gateway.
func (r Recipe) Request() (lifecycle.Request, error) {
	env, err := r.Environment()
	if err != nil {
		return lifecycle.Request{}, err
	}
	mounts, err := r.Mounts()
	if err != nil {
		return lifecycle.Request{}, err
	}
	spec, err := r.encode()
	if err != nil {
		return lifecycle.Request{}, err
	}
	return lifecycle.Request{
		Name: r.Name, Gateway: r.Gateway, Labels: maps.Clone(r.Labels), Annotations: maps.Clone(r.Annotations), Env: env, Mounts: mounts, Spec: spec,
	}, nil
}

// encode is the recipe as DecodeRecipe reads it.
func (r Recipe) encode() ([]byte, error) {
	spec, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("recipe of sandbox %q: %w", r.Name, err)
	}
	return spec, nil
}

// Mounts are those of Spec's driver configuration, never nil.
func (r Recipe) Mounts() ([]lifecycle.Mount, error) {
	read, err := openshell.RawSandbox{ListedSandbox: openshell.ListedSandbox{Name: r.Name}, Spec: r.Spec}.ReadSpec()
	if err != nil {
		return nil, err
	}
	mounts := make([]lifecycle.Mount, 0, len(read.Mounts))
	for _, m := range read.Mounts {
		mounts = append(mounts, lifecycle.Mount(m))
	}
	return mounts, nil
}

// DecodeRecipe reads the recipe that a Request carries in its Spec.
func DecodeRecipe(spec []byte) (Recipe, error) {
	var r Recipe
	if err := json.Unmarshal(spec, &r); err != nil {
		return r, fmt.Errorf("the request does not carry a recipe: %w", err)
	}
	return r, nil
}

// Environment is the map of SandboxSpec's environment, values included: it is never printed.
func (r Recipe) Environment() (map[string]string, error) {
	fields, err := splitMessage(r.Spec)
	if err != nil {
		return nil, fmt.Errorf("recipe of sandbox %q: %w", r.Name, err)
	}
	env := map[string]string{}
	for _, f := range fields {
		if f.number != specEnvironment || f.kind != protowire.BytesType {
			continue
		}
		pair, err := splitMessage(f.value)
		if err != nil {
			return nil, fmt.Errorf("recipe of sandbox %q: environment: %w", r.Name, err)
		}
		var name, value string
		for _, part := range pair {
			switch part.number {
			case 1:
				name = string(part.value)
			case 2:
				value = string(part.value)
			}
		}

		env[name] = value
	}

	return env, nil
}

// field is one field of a protobuf message. Of a length-delimited one value is the content, of any other the encoded
// value.
type field struct {
	number protowire.Number
	kind   protowire.Type
	value  []byte
}

func splitMessage(message []byte) ([]field, error) {
	var fields []field
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, fmt.Errorf("not a protobuf message: %w", protowire.ParseError(n))
		}
		message = message[n:]
		n = protowire.ConsumeFieldValue(number, kind, message)
		if n < 0 {
			return nil, fmt.Errorf("not a protobuf message: field %d: %w", number, protowire.ParseError(n))
		}
		value := message[:n]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		fields = append(fields, field{number: number, kind: kind, value: slices.Clone(value)})
		message = message[n:]
	}
	return fields, nil
}

func joinMessage(fields []field) []byte {
	var message []byte
	for _, f := range fields {
		message = protowire.AppendTag(message, f.number, f.kind)
		if f.kind == protowire.BytesType {
			message = protowire.AppendBytes(message, f.value)
		} else {
			message = append(message, f.value...)
		}
	}
	return message
}

func withoutField(message []byte, number protowire.Number) ([]byte, error) {
	fields, err := splitMessage(message)
	if err != nil {
		return nil, err
	}
	return joinMessage(slices.DeleteFunc(fields, func(f field) bool { return f.number == number })), nil
}

// ImageInSpec is the image that Spec names; "" when it names none, or cannot be read.
func (r Recipe) ImageInSpec() string {
	read, err := openshell.RawSandbox{Spec: r.Spec}.ReadSpec()
	if err != nil {
		return ""
	}
	return read.Image
}

// WithoutDriverConfig is the same recipe without the driver's configuration, mounts among it.
func (r Recipe) WithoutDriverConfig() (Recipe, error) {
	spec, err := openshell.WithoutDriverConfig(r.Spec)
	if err != nil {
		return r, fmt.Errorf("recipe of sandbox %q: %w", r.Name, err)
	}
	r.Spec = spec
	return r, nil
}
