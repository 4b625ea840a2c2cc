package sandbox

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckName says why name cannot stand for a folder and a command line argument; nil when it can. A name is data, never a path,
// and never repaired: it must be one clean path component of at most 255 bytes.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case name == "." || name == "..":
		return errors.New("the name is a path, not a name")
	case len(name) > 255:
		return errors.New("the name is longer than 255 bytes")
	case !utf8.ValidString(name):
		return errors.New("the name is not valid UTF-8")
	case strings.ContainsRune(name, '/'):
		return errors.New("the name holds a slash")
	case strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("the name holds a control character")
	case strings.HasPrefix(name, "-"):
		return errors.New("the name starts with a dash and would be read as an option")
	}
	return nil
}
