package archive

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sandkeeper/internal/pattern"
)

// idLayout is the time part of a backup's id: UTC, and sorting by name is sorting by time.
const idLayout = "20060102T150405Z"

var idPattern = pattern.Of(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}$`)

// NewID names a backup that starts at now: 20261121T101500Z-1f3a. The random part keeps two that start in the same second apart.
func NewID(now time.Time, random io.Reader) (string, error) {
	var tail [2]byte
	if _, err := io.ReadFull(random, tail[:]); err != nil {
		return "", fmt.Errorf("name a backup: %w", err)
	}
	return now.UTC().Format(idLayout) + "-" + hex.EncodeToString(tail[:]), nil
}

// ValidID reports whether id has the shape of a backup's id, with a time that exists.
func ValidID(id string) bool {
	_, ok := IdTime(id)
	return ok
}

// IdTime is the moment that id names.
func IdTime(id string) (time.Time, bool) {
	if !idPattern().MatchString(id) {
		return time.Time{}, false
	}
	at, err := time.Parse(idLayout, id[:len(id)-5])
	return at, err == nil
}

// ValidSandbox says why name cannot be a folder of the store; nil when it can. A name is data, never a path.
func ValidSandbox(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("sandbox name is empty")
	case len(name) > 200:
		return fmt.Errorf("sandbox name %.40q… has more than 200 bytes", name)
	case name == GatewayFolder:
		return fmt.Errorf("sandbox name %q is kept for the state of gateways", name)
	case name[0] == '.' || name[0] == '-':
		return fmt.Errorf("sandbox name %q starts with %q", name, name[:1])
	case strings.ContainsAny(name, `/\`):
		return fmt.Errorf("sandbox name %q is not one path component", name)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("sandbox name %q has control characters", name)
	}
	return nil
}

// ValidBackupID says why id is not the id of a backup; nil when it is.
func ValidBackupID(id string) error {
	if !ValidID(id) {
		return fmt.Errorf("%q is not the id of a backup", id)
	}
	return nil
}
