package lifecycle

import (
	"crypto/rand"
	"encoding/hex"
)

// hexID is a random id of so many bytes, in hexadecimal digits.
func hexID(bytes int) string {
	id := make([]byte, bytes)
	_, _ = rand.Read(id) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(id)
}
