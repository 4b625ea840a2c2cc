package gateway

import (
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a protobuf message under construction. Like proto3, the adders leave out fields that hold their zero
// value.
type message []byte

func (m *message) text(field protowire.Number, value string) {
	if value == "" {
		return
	}
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), value)
}

func (m *message) number(field protowire.Number, value uint64) {
	if value == 0 {
		return
	}
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), value)
}

func (m *message) flag(field protowire.Number, value bool) {
	if value {
		m.number(field, 1)
	}
}

// embed adds a sub-message, also an empty one: presence of a message field has a meaning of its own.
func (m *message) embed(field protowire.Number, value message) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), value)
}

func (m *message) texts(field protowire.Number, values []string) {
	for _, value := range values {
		*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), value)
	}
}

// pairs adds a map<string, string>, sorted so that equal sandboxes have equal bytes.
func (m *message) pairs(field protowire.Number, values map[string]string) {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var entry message
		entry.text(1, name)
		entry.text(2, values[name])
		m.embed(field, entry)
	}
}

// timestamp adds a google.protobuf.Timestamp.
func (m *message) timestamp(field protowire.Number, at time.Time) {
	var stamp message
	stamp.number(1, uint64(at.Unix()))
	stamp.number(2, uint64(at.Nanosecond()))
	m.embed(field, stamp)
}
