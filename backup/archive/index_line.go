package archive

import (
	"bytes"
	"encoding/json"
	"math"
)

// decodeEntry reads a line of an index. A line that is spelled as indexWriter spells it, in plain ASCII, is taken apart
// here: an index has a line for each file of a home, and encoding/json takes several times as long. Every other line is
// left to encoding/json, and what it makes of a line is the meaning of that line.
func decodeEntry(line []byte) (Entry, error) {
	if e, plain := plainEntry(line); plain {
		return e, nil
	}
	var e Entry
	err := json.Unmarshal(line, &e)
	return e, err
}

// plainEntry reads a line whose keys are in the order of Entry.
func plainEntry(line []byte) (e Entry, plain bool) {
	s := &spelling{rest: line}
	s.must(`{"path":`)
	e.Path = s.text()
	s.must(`,"type":`)
	e.Type = s.text()
	if s.has(`,"size":`) {
		e.Size = int64(s.number(math.MaxInt64))
	}
	s.must(`,"mode":`)
	e.Mode = int64(s.number(math.MaxInt64))
	if s.has(`,"link":`) {
		e.Link = s.text()
	}
	if s.has(`,"digest":`) {
		e.Digest = s.text()
	}
	if s.has(`,"seen":`) {
		e.Witness = s.witness()
	}
	s.must("}\n")
	return e, !s.other && len(s.rest) == 0
}

// spelling takes a line apart from its beginning. Once the line is spelled in another way, what was read of it is worth
// nothing.
type spelling struct {
	rest  []byte
	other bool
}

// has reports whether the line goes on so, and takes that.
func (s *spelling) has(word string) bool {
	if len(s.rest) < len(word) || string(s.rest[:len(word)]) != word {
		return false
	}
	s.rest = s.rest[len(word):]
	return true
}

func (s *spelling) must(word string) {
	if !s.has(word) {
		s.other = true
	}
}

// text takes a string that has neither escapes nor anything but ASCII.
func (s *spelling) text() string {
	s.must(`"`)
	end := bytes.IndexByte(s.rest, '"')
	if s.other || end < 0 {
		s.other = true
		return ""
	}
	text := s.rest[:end]
	s.rest = s.rest[end+1:]
	for _, c := range text {
		if c < ' ' || c > '~' || c == '\\' {
			s.other = true
		}
	}
	return string(text)
}

// numberDigits is how many digits a number can have and fit 64 bits whatever they are.
const numberDigits = 19

// number takes a number without a sign that is at most most.
func (s *spelling) number(most uint64) (n uint64) {
	digits := 0
	for digits < len(s.rest) && digits < numberDigits && '0' <= s.rest[digits] && s.rest[digits] <= '9' {
		n = 10*n + uint64(s.rest[digits]-'0')
		digits++
	}
	if digits == 0 || n > most || digits > 1 && s.rest[0] == '0' {
		s.other = true
	}
	s.rest = s.rest[digits:]
	return n
}

func (s *spelling) witness() *Witness {
	w := &Witness{}
	s.must("[")
	w.Inode = s.number(math.MaxUint64)
	s.must(",")
	w.Changed = int64(s.number(math.MaxInt64))
	s.must(",")
	w.From = uint32(s.number(math.MaxUint32))
	s.must(",")
	w.Count = uint32(s.number(math.MaxUint32))
	s.must("]")
	return w
}
