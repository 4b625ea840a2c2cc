package gateway

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a decoded message.
type field struct {
	number protowire.Number
	kind   protowire.Type
	varint uint64
	bytes  []byte
}

// decode splits a message into its fields. The reasons of errors are those of prost 0.14, the decoder of the real
// gateway, because operators and tools see them.
func decode(b []byte) ([]field, error) {
	var fields []field
	for len(b) > 0 {
		key, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, errors.New("invalid varint")
		}
		b = b[n:]
		f := field{number: protowire.Number(key >> 3), kind: protowire.Type(key & 7)}
		if f.kind > protowire.Fixed32Type {
			return nil, fmt.Errorf("invalid wire type value: %d", f.kind)
		}
		if f.number == 0 {
			return nil, errors.New("invalid tag value: 0")
		}
		n, err := f.consume(b)
		if err != nil {
			return nil, err
		}
		b = b[n:]
		fields = append(fields, f)
	}
	return fields, nil
}

func (f *field) consume(b []byte) (int, error) {
	n := 0
	switch f.kind {
	case protowire.VarintType:
		if f.varint, n = protowire.ConsumeVarint(b); n < 0 {
			return 0, errors.New("invalid varint")
		}
	case protowire.BytesType:
		if f.bytes, n = protowire.ConsumeBytes(b); n < 0 {
			return 0, errors.New("buffer underflow")
		}
	case protowire.EndGroupType:
		return 0, errors.New("unexpected end group tag")
	default:
		if n = protowire.ConsumeFieldValue(f.number, f.kind, b); n < 0 {
			return 0, errors.New("buffer underflow")
		}
	}
	return n, nil
}

// wants is prost's answer to a field of another wire type than the schema's.
func (f field) wants(kind protowire.Type) error {
	if f.kind == kind {
		return nil
	}
	return fmt.Errorf("invalid wire type: %s (expected %s)", wireName(f.kind), wireName(kind))
}

func wireName(kind protowire.Type) string {
	switch kind {
	case protowire.VarintType:
		return "Varint"
	case protowire.Fixed64Type:
		return "SixtyFourBit"
	case protowire.BytesType:
		return "LengthDelimited"
	case protowire.Fixed32Type:
		return "ThirtyTwoBit"
	case protowire.StartGroupType:
		return "StartGroup"
	default:
		return "EndGroup"
	}
}
