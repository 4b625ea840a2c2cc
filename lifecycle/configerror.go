package lifecycle

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// decodeStrict fills config from a table and refuses keys that it does not have.
func decodeStrict(table []byte, config any) error {
	return toml.NewDecoder(bytes.NewReader(table)).DisallowUnknownFields().Decode(config)
}

// syntaxError is a file that is not TOML.
func syntaxError(source Source, err error) error {
	line := 0
	if fault, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ = fault.Position()
	}
	return &ConfigError{File: source.File, Line: line, Err: err}
}

// refused notes why an extension does not take its table, at the keys in question.
func (r *reader) refused(d Definition, err error) {
	at := func(keys ...string) []string { return append([]string{"compute", "extension", d.Name}, keys...) }
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		for _, missing := range strict.Errors {
			r.fault(at(missing.Key()...), fmt.Errorf("extension %q has no key %q; it knows: %s",
				d.Name, strings.Join(missing.Key(), "."), strings.Join(d.keys, ", ")))
		}
		return
	}

	if fault, ok := errors.AsType[*toml.DecodeError](err); ok {
		r.fault(at(fault.Key()...), fmt.Errorf("extension %q: %s: %s", d.Name, strings.Join(fault.Key(), "."), otherKind(fault)))
		return
	}
	if bad, ok := errors.AsType[*ValueError](err); ok {
		r.fault(at(strings.Split(bad.Key, ".")...), fmt.Errorf("extension %q: %w", d.Name, err))
		return
	}
	r.fault(at(), fmt.Errorf("extension %q: %w", d.Name, err))
}

// otherKind says which kind of value is expected in place of the one that the file has: the decoder says so in Go's types.
func otherKind(fault *toml.DecodeError) string {
	said := strings.TrimPrefix(fault.Error(), "toml: ")
	_, goType, known := strings.Cut(said, " into ")
	if _, ofField, named := strings.Cut(goType, " of type "); named {
		goType = ofField
	}
	expected := "another kind of value"
	switch {
	case !known:
		return said
	case goType == "string":
		expected = `text, such as "one",`
	case goType == "bool":
		expected = "true or false"
	case strings.HasPrefix(goType, "map["):
		expected = `a table, such as { name = "value" },`
	case strings.HasPrefix(goType, "[]"):
		expected = `a list, such as ["one", "two"],`
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		expected = "a whole number"
	}
	return expected + " is expected"
}
