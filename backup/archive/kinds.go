package archive

import "hash/maphash"

// Kinds remembers what each path of a home is, by its tar type, in some 25 bytes a path however long that is: a home
// may have millions. Paths are told apart by 128 bits of a hash whose seed is of this process, so that no archive can
// be made to confuse them.
type Kinds struct {
	seeds [2]maphash.Seed
	keys  [][2]uint64 // as many as kinds; a path is at the place that its key gives, or the next free one after it
	kinds []byte      // 0: free
	count int
}

// NewKinds knows no path yet.
func NewKinds() *Kinds {
	const slots = 1024 // a power of two
	return &Kinds{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, keys: make([][2]uint64, slots), kinds: make([]byte, slots)}
}

// Of is what path is; false when it was never set.
func (k *Kinds) Of(path string) (kind byte, found bool) {
	kind = k.kinds[k.slot(k.key(path))]
	return kind, kind != 0
}

// Set says what path is.
func (k *Kinds) Set(path string, kind byte) {
	if 4*k.count >= 3*len(k.kinds) {
		k.grow()
	}
	key := k.key(path)
	at := k.slot(key)
	if k.kinds[at] == 0 {
		k.count++
	}
	k.keys[at], k.kinds[at] = key, kind
}

func (k *Kinds) key(path string) [2]uint64 {
	return [2]uint64{maphash.String(k.seeds[0], path), maphash.String(k.seeds[1], path)}
}

func (k *Kinds) slot(key [2]uint64) uint64 {
	mask := uint64(len(k.kinds) - 1)
	at := key[0] & mask
	for k.kinds[at] != 0 && k.keys[at] != key {
		at = (at + 1) & mask
	}
	return at
}

func (k *Kinds) grow() {
	keys, kinds := k.keys, k.kinds
	k.keys, k.kinds = make([][2]uint64, 2*len(keys)), make([]byte, 2*len(kinds))
	for i, kind := range kinds {
		if kind != 0 {
			at := k.slot(keys[i])
			k.keys[at], k.kinds[at] = keys[i], kind
		}
	}
}
