package sqlitefile

import (
	"encoding/binary"
	"fmt"
	"math"
)

// varint is a number in SQLite's form: up to nine bytes, the high bits first; the length 0 means that it is cut off.
func varint(b []byte) (value uint64, length int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return value<<8 | uint64(b[i]), 9
		}
		value = value<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return value, i + 1
		}
	}
	return 0, 0
}

// record takes a row apart.
func record(content []byte) ([]any, error) {
	size, n := varint(content)
	if n == 0 || size < uint64(n) || size > uint64(len(content)) {
		return nil, fmt.Errorf("a row without its columns: %w", ErrTorn)
	}
	kinds, body := content[n:size], content[size:]
	var columns []any
	for len(kinds) > 0 {
		kind, n := varint(kinds)
		if n == 0 {
			return nil, fmt.Errorf("a row with a broken list of columns: %w", ErrTorn)
		}
		kinds = kinds[n:]
		width := widthOf(kind)
		if width > uint64(len(body)) {
			return nil, fmt.Errorf("a column beyond its row: %w", ErrTorn)
		}
		columns = append(columns, column(kind, body[:width]))
		body = body[width:]
	}
	return columns, nil
}

// widthOf is how many bytes a column of that kind takes.
func widthOf(kind uint64) uint64 {
	switch {
	case kind >= 12:
		return (kind - 12) / 2
	case kind == 5:
		return 6
	case kind == 6 || kind == 7:
		return 8
	case kind <= 4:
		return kind
	}
	return 0
}

func column(kind uint64, content []byte) any {
	switch {
	case kind >= 12 && kind%2 == 1:
		return string(content)
	case kind >= 12:
		return append([]byte{}, content...)
	case kind == 7:
		return math.Float64frombits(binary.BigEndian.Uint64(content))
	case kind == 8 || kind == 9:
		return int64(kind - 8)
	case kind == 0 || kind > 9:
		return nil
	}
	value := int64(int8(content[0]))
	for _, b := range content[1:] {
		value = value<<8 | int64(b)
	}
	return value
}
