package tree

import (
	"fmt"
	"strconv"
	"strings"
)

// extent is a part of a file that has data: bytes from to to, without the last.
type extent struct{ from, to int64 }

// layout is a position in a file of which the holes are known.
type layout struct {
	size  int64
	at    int64
	whole bool     // data is not looked at: there are no holes
	data  []extent // what lies behind at
}

// part says where the data or the hole ends that the position is in.
func (l *layout) part() (end int64, hole bool) {
	for len(l.data) > 0 && l.data[0].to <= l.at {
		l.data = l.data[1:]
	}
	switch {
	case l.whole:
		return l.size, false
	case len(l.data) == 0:
		return l.size, true
	case l.at < l.data[0].from:
		return l.data[0].from, true
	}
	return l.data[0].to, false
}

// mostExtents is how many parts of a file are listed; tar's readers take no records over a megabyte.
const mostExtents = 8000

// spell writes extents as a header has them (archive.RecordData).
func spell(data []extent) string {
	switch {
	case len(data) == 0:
		return "-"
	case len(data) > mostExtents:
		return "*"
	}

	var text strings.Builder
	for i, e := range data {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(strconv.FormatInt(e.from, 10) + "+" + strconv.FormatInt(e.to-e.from, 10))
	}
	return text.String()
}

// parse reads such a list for a file of size bytes. scan says that the holes are not listed, and are wherever there are
// only zeros.
func parse(text string, size int64) (data []extent, scan bool, err error) {
	switch text {
	case "-":
		return nil, false, nil
	case "*":
		return nil, true, nil
	}

	end := int64(0)
	for part := range strings.SplitSeq(text, ",") {
		offset, length, _ := strings.Cut(part, "+")
		from, wrongFrom := strconv.ParseInt(offset, 10, 64)
		n, wrongLength := strconv.ParseInt(length, 10, 64)
		if wrongFrom != nil || wrongLength != nil || from < end || n <= 0 || n > size-from {
			return nil, false, fmt.Errorf("%q is no list of a file's data", part)
		}
		end = from + n
		data = append(data, extent{from, end})
	}
	return data, false, nil
}
