package lifecycle

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
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
		r.fault(at(fault.Key()...), fmt.Errorf("extension %q: %s: %s", d.Name, strings.Join(fault.Key(), "."), strings.TrimPrefix(fault.Error(), "toml: ")))
		return
	}
	if bad, ok := errors.AsType[*ValueError](err); ok {
		r.fault(at(strings.Split(bad.Key, ".")...), fmt.Errorf("extension %q: %w", d.Name, err))
		return
	}
	r.fault(at(), fmt.Errorf("extension %q: %w", d.Name, err))
}

// keyLines returns the line on which each key and table of a TOML document stands, by joinKey of its path. The document has been
// decoded before, so its syntax is sound.
func keyLines(data []byte) map[string]int {
	lines := map[string]int{}
	var parser unstable.Parser
	parser.Reset(data)
	var table []string
	for parser.NextExpression() {
		node := parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = noteKey(&parser, node, nil, lines)
		case unstable.KeyValue:
			noteValue(&parser, node, table, lines)
		}
	}
	return lines
}

// noteValue notes a key and, where its value is an inline table, the keys within.
func noteValue(parser *unstable.Parser, node *unstable.Node, table []string, lines map[string]int) {
	path := noteKey(parser, node, table, lines)
	if node.Value().Kind != unstable.InlineTable {
		return
	}
	for children := node.Value().Children(); children.Next(); {
		noteValue(parser, children.Node(), path, lines)
	}
}

// noteKey notes every part of a dotted key where it first stands, and returns the whole path.
func noteKey(parser *unstable.Parser, node *unstable.Node, table []string, lines map[string]int) []string {
	path := append([]string(nil), table...)
	for parts := node.Key(); parts.Next(); {
		part := parts.Node()
		path = append(path, string(part.Data))
		if _, seen := lines[joinKey(path)]; !seen {
			lines[joinKey(path)] = parser.Shape(part.Raw).Start.Line
		}
	}
	return path
}

func joinKey(path []string) string { return strings.Join(path, "\x00") }
