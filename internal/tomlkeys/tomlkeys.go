// Package tomlkeys answers one question: on which line of a TOML document does a key stand? Errors about a config file
// say it.
package tomlkeys

import (
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Lines are the lines, counted from 1, on which the keys and tables of a document stand.
type Lines map[string]int

// Of finds the lines of a document whose syntax is sound: it has been decoded before.
func Of(document []byte) Lines {
	lines := Lines{}
	var parser unstable.Parser
	parser.Reset(document)
	var table []string
	for parser.NextExpression() {
		node := parser.Expression()
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = lines.noteKey(&parser, node, nil)
		case unstable.KeyValue:
			lines.noteValue(&parser, node, table)
		}
	}

	return lines
}

// At is the line of the key with this path, else of the nearest table around it; 0 when the document has neither.
func (l Lines) At(path ...string) int {
	for n := len(path); n > 0; n-- {
		if line, found := l[join(path[:n])]; found {
			return line
		}
	}
	return 0
}

// noteValue notes a key and, where its value is an inline table, the keys within.
func (l Lines) noteValue(parser *unstable.Parser, node *unstable.Node, table []string) {
	path := l.noteKey(parser, node, table)
	if node.Value().Kind != unstable.InlineTable {
		return
	}
	for children := node.Value().Children(); children.Next(); {
		l.noteValue(parser, children.Node(), path)
	}
}

// noteKey notes every part of a dotted key where it first stands, and returns the whole path.
func (l Lines) noteKey(parser *unstable.Parser, node *unstable.Node, table []string) []string {
	path := append([]string(nil), table...)
	for parts := node.Key(); parts.Next(); {
		part := parts.Node()
		path = append(path, string(part.Data))
		if _, seen := l[join(path)]; !seen {
			l[join(path)] = parser.Shape(part.Raw).Start.Line
		}
	}
	return path
}

func join(path []string) string { return strings.Join(path, "\x00") }
