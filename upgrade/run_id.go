package upgrade

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
)

// NewRunID names a run by when it began, so that its names sort by age, and by four random digits.
func NewRunID(now time.Time) string {
	random := make([]byte, 2)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the program instead
	return strings.ToLower(now.UTC().Format("20060102t150405z")) + "-" + hex.EncodeToString(random)
}
