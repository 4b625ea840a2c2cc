package archive

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"sandkeeper/internal/pattern"
)

// idLayout is the time part of a backup's id: UTC, and sorting by name is sorting by time.
const idLayout = "20060102T150405Z"

var idPattern = pattern.Of(`^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}$`)

// NewID names a backup that starts at now: 20261121T101500Z-1f3a. The random part keeps two that start in the same
// second apart.
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

// ValidBackupID says why id is not the id of a backup; nil when it is.
func ValidBackupID(id string) error {
	if !ValidID(id) {
		return fmt.Errorf("%q is not the id of a backup", id)
	}
	return nil
}
