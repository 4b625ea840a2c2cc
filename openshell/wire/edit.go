package wire

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// bytesField is a length-delimited field with its encoding.
func bytesField(number protowire.Number, content []byte) Field {
	raw := protowire.AppendTag(nil, number, protowire.BytesType)
	head := len(raw)
	raw = protowire.AppendBytes(raw, content)
	value, _ := protowire.ConsumeBytes(raw[head:])
	return Field{Number: number, Kind: protowire.BytesType, Bytes: value, raw: raw}
}

// Without is the message without a field. The original stays as it is; so it does in all that follows.
func (m Message) Without(number protowire.Number) Message {
	return slices.DeleteFunc(slices.Clone(m), func(f Field) bool { return f.Number == number })
}

// Replace puts content in the place of a field's first occurrence and drops the others; at the end when there was none.
func (m Message) Replace(number protowire.Number, content []byte) Message {
	at := slices.IndexFunc(m, func(f Field) bool { return f.Number == number })
	rest := m.Without(number)
	if at < 0 {
		at = len(rest)
	}
	return slices.Insert(rest, at, bytesField(number, content))
}

// ReplacePairs makes a map<string, string> hold exactly want. Entries that are right already keep their bytes and their
// place; new ones come at the end, sorted.
func (m Message) ReplacePairs(number protowire.Number, want map[string]string) (Message, error) {
	have, err := m.Pairs(number)
	if err != nil {
		return nil, err
	}
	if maps.Equal(have, want) {
		return m, nil
	}
	missing := maps.Clone(want)
	var kept Message
	for _, f := range m {
		if f.Number != number {
			kept = append(kept, f)
			continue
		}
		name, value, err := pair(f.Bytes)
		if err != nil {
			return nil, err
		}
		if wanted, ok := missing[name]; ok && wanted == value {
			kept = append(kept, f)
			delete(missing, name)
		}
	}

	for _, name := range slices.Sorted(maps.Keys(missing)) {
		kept = append(kept, bytesField(number, entry(name, missing[name])))
	}
	return kept, nil
}

// entry is one entry of a map<string, string>.
func entry(name, value string) []byte {
	var e builder
	e.text(1, name)
	e.text(2, value)
	return e
}

// builder is a message under construction. As proto3 has it, the adders leave out fields that hold their zero value.
type builder []byte

func (b *builder) text(number protowire.Number, value string) {
	if value != "" {
		*b = protowire.AppendString(protowire.AppendTag(*b, number, protowire.BytesType), value)
	}
}

func (b *builder) number(number protowire.Number, value uint64) {
	if value != 0 {
		*b = protowire.AppendVarint(protowire.AppendTag(*b, number, protowire.VarintType), value)
	}
}

// embed adds a sub-message, also an empty one: its presence has a meaning of its own.
func (b *builder) embed(number protowire.Number, content []byte) {
	*b = protowire.AppendBytes(protowire.AppendTag(*b, number, protowire.BytesType), content)
}

func (b *builder) pairs(number protowire.Number, values map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		b.embed(number, entry(name, values[name]))
	}
}
