package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// The line of a manifest that proves the lines above it.
const (
	SealHead = "  \"seal\": \"sha256:"
	sealTail = "\"\n}\n"
	sealHex  = 2 * sha256.Size
)

var errSeal = errors.New("its bytes do not match its seal")

// Seal closes an open JSON object (after the comma and line break of its last member) with the SHA-256 of the whole
// file, taken while the seal's own digits are zeros. Every flipped bit is found by it, also one in white space.
func Seal(open []byte) []byte {
	whole := append(open, SealHead+strings.Repeat("0", sealHex)+sealTail...)
	sum := sha256.Sum256(whole)
	hex.Encode(whole[len(whole)-len(sealTail)-sealHex:], sum[:])
	return whole
}

// checkSeal proves that content is, byte for byte, what seal made.
func checkSeal(content []byte) error {
	at := len(content) - len(sealTail) - sealHex
	if at < len(SealHead) || !bytes.HasSuffix(content, []byte(sealTail)) || !bytes.HasSuffix(content[:at], []byte(SealHead)) {
		return &DamageError{Kind: DamageSeal, Err: errors.New("it is cut short or not a manifest of this program")}
	}
	h := sha256.New()
	h.Write(content[:at])
	h.Write([]byte(strings.Repeat("0", sealHex) + sealTail))
	if want := hex.EncodeToString(h.Sum(nil)); string(content[at:at+sealHex]) != want {
		return &DamageError{Kind: DamageSeal, Err: errSeal}
	}
	return nil
}
