package archive

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"
	"github.com/zeebo/blake3"
)

// StoreKey is what a host keeps in order to add to its encrypted backups without being able to read them. It names
// blocks, so that equal ones are found while nobody without it can test guesses, and it opens the notes beside packs,
// which say what blocks these have. Whoever can open a backup finds the key in its index.
type StoreKey struct {
	identity *age.X25519Identity
	naming   *naming
}

// NewStoreKey makes a key.
func NewStoreKey() (*StoreKey, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("make a store key: %w", err)
	}
	return storeKeyOf(identity), nil
}

// ParseStoreKey reads what Secret gave.
func ParseStoreKey(secret string) (*StoreKey, error) {
	identity, err := age.ParseX25519Identity(strings.TrimSpace(secret))
	if err != nil {
		return nil, fmt.Errorf("read a store key: %w", err)
	}
	return storeKeyOf(identity), nil
}

func storeKeyOf(identity *age.X25519Identity) *StoreKey {
	var key [32]byte
	blake3.DeriveKey("sandkeeper 2026-11-26 names of blocks in an encrypted store", []byte(identity.String()), key[:])
	return &StoreKey{identity: identity, naming: keyedNaming(key)}
}

// Secret is the key as text, for a file that only its owner reads.
func (k *StoreKey) Secret() string { return k.identity.String() }

// ID tells keys apart, and says nothing of the key.
func (k *StoreKey) ID() string {
	sum := blake3.Sum256([]byte(k.identity.Recipient().String()))
	return hex.EncodeToString(sum[:8])
}

// names is how the key names blocks; that of no key is the plain way.
func (k *StoreKey) names() *naming {
	if k == nil {
		return nil
	}
	return k.naming
}

// naming gives blocks their names and files their digests: a nil one by BLAKE3 alone, any other by BLAKE3 with a key.
type naming struct{ hashers sync.Pool }

func keyedNaming(key [32]byte) *naming {
	return &naming{hashers: sync.Pool{New: func() any {
		h, err := blake3.NewKeyed(key[:])
		if err != nil {
			panic(err) // it wants 32 bytes
		}
		return h
	}}}
}

// of is the name of a block.
func (n *naming) of(block []byte) Name {
	if n == nil {
		return NameOf(block)
	}
	h := n.hasher()
	defer n.hashers.Put(h)
	_, _ = h.Write(block) // no hash fails
	var sum [32]byte
	return Name(h.Sum(sum[:0])[:len(Name{})])
}

// hasher takes the digest of a file; cut to 128 bits it is that of the file's name as a block.
func (n *naming) hasher() *blake3.Hasher {
	if n == nil {
		return blake3.New()
	}
	h := n.hashers.Get().(*blake3.Hasher) // nothing else is in it
	h.Reset()
	return h
}

// SameRecipients reports whether two lists name the same keys.
func SameRecipients(a, b []string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(a))), slices.Compact(slices.Sorted(slices.Values(b))))
}
