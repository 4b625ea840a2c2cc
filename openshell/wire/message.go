// Package wire answers how the gateway's API messages are laid out in each generation of OpenShell, and reads or
// changes in them only what we name. Every other byte stays where it is, so that a message survives us also where it is
// newer than we are.
//
// openshell.proto beside this file is the schema; a test holds the field numbers here to it. The code is written by
// hand because a generated one cannot keep unknown fields in their place, and needs one set of types for each
// generation.
package wire

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is one field of an encoded message.
type Field struct {
	Number protowire.Number
	Kind   protowire.Type
	Varint uint64 // of a VarintType
	Bytes  []byte // of a BytesType: the content
	raw    []byte // tag and value as they came
}

// Message is an encoded message taken apart, in the order in which it came.
type Message []Field

// Parse takes a message apart. It shares the bytes it is given.
func Parse(b []byte) (Message, error) {
	var m Message
	for len(b) > 0 {
		number, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return nil, fmt.Errorf("not a protobuf message: %w", protowire.ParseError(tag))
		}
		value := protowire.ConsumeFieldValue(number, kind, b[tag:])
		if value < 0 {
			return nil, fmt.Errorf("field %d: %w", number, protowire.ParseError(value))
		}
		f := Field{Number: number, Kind: kind, raw: b[:tag+value]}
		switch kind {
		case protowire.VarintType:
			f.Varint, _ = protowire.ConsumeVarint(b[tag:])
		case protowire.BytesType:
			f.Bytes, _ = protowire.ConsumeBytes(b[tag:])
		}

		m, b = append(m, f), b[tag+value:]
	}
	return m, nil
}

// Encode puts the message together again; what was not changed has the bytes it came with.
func (m Message) Encode() []byte {
	var b []byte
	for _, f := range m {
		b = append(b, f.raw...)
	}
	return b
}

// Has reports whether the field is there, in whatever wire type.
func (m Message) Has(number protowire.Number) bool {
	return slices.ContainsFunc(m, func(f Field) bool { return f.Number == number })
}

// Number is a varint field; the last one counts, and 0 stands for a field that is not there.
func (m Message) Number(number protowire.Number) (uint64, error) {
	value := uint64(0)
	for f, err := range m.all(number, protowire.VarintType) {
		if err != nil {
			return 0, err
		}
		value = f.Varint
	}
	return value, nil
}

// Text is a string field; the last one counts, and "" stands for a field that is not there.
func (m Message) Text(number protowire.Number) (string, error) {
	texts, err := m.Texts(number)
	if err != nil || len(texts) == 0 {
		return "", err
	}
	return texts[len(texts)-1], nil
}

// Texts is a repeated string field.
func (m Message) Texts(number protowire.Number) ([]string, error) {
	var texts []string
	for f, err := range m.all(number, protowire.BytesType) {
		if err != nil {
			return nil, err
		}
		if !utf8.Valid(f.Bytes) {
			return nil, fmt.Errorf("field %d: %w", number, errNotText)
		}
		texts = append(texts, string(f.Bytes))
	}
	return texts, nil
}

var errNotText = errors.New("invalid string value: data is not UTF-8 encoded")

// Contents are the bytes of every occurrence of a field: a repeated message.
func (m Message) Contents(number protowire.Number) ([][]byte, error) {
	var all [][]byte
	for f, err := range m.all(number, protowire.BytesType) {
		if err != nil {
			return nil, err
		}
		all = append(all, f.Bytes)
	}
	return all, nil
}

// Content is the bytes of a sub-message. Protobuf merges a sub-message that is there several times; that is what
// putting the bytes one after the other means.
func (m Message) Content(number protowire.Number) ([]byte, error) {
	all, err := m.Contents(number)
	return slices.Concat(all...), err
}

// Sub is a sub-message taken apart; an empty one when it is not there.
func (m Message) Sub(number protowire.Number) (Message, error) {
	content, err := m.Content(number)
	if err != nil {
		return nil, err
	}
	sub, err := Parse(content)
	if err != nil {
		return nil, fmt.Errorf("field %d: %w", number, err)
	}
	return sub, nil
}

// Pairs is a map<string, string>; a later entry wins. It is nil when there is none.
func (m Message) Pairs(number protowire.Number) (map[string]string, error) {
	entries, err := m.Contents(number)
	if err != nil {
		return nil, err
	}
	var pairs map[string]string
	for _, content := range entries {
		name, value, err := pair(content)
		if err != nil {
			return nil, fmt.Errorf("field %d: %w", number, err)
		}
		if pairs == nil {
			pairs = map[string]string{}
		}
		pairs[name] = value
	}

	return pairs, nil
}

func pair(content []byte) (name, value string, err error) {
	entry, err := Parse(content)
	if err != nil {
		return "", "", err
	}
	name, err = entry.Text(1)
	if err != nil {
		return "", "", err
	}
	value, err = entry.Text(2)
	return name, value, err
}

// all goes over the occurrences of a field. One of another wire type is an error: it was written by a schema in which
// the number means something else.
func (m Message) all(number protowire.Number, kind protowire.Type) func(yield func(Field, error) bool) {
	return func(yield func(Field, error) bool) {
		for _, f := range m {
			if f.Number != number {
				continue
			}
			if f.Kind != kind {
				yield(f, fmt.Errorf("field %d: invalid wire type: %d (expected %d)", number, f.Kind, kind))
				return
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}
