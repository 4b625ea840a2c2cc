package archive

import "errors"

// Proofs remember which frames of packs were proven, by the packs' paths, and of damaged ones what was seen. Backups
// that share frames are then proven by reading each of these once. Nil ones remember nothing.
type Proofs map[string]map[int]error

// has reports whether the frame of a piece was proven. If it turned out to be damaged, that is the piece's error.
func (f Proofs) has(p *piece) bool {
	seen, proven := f[p.pack.Path][p.frame]
	if seen != nil {
		p.err = p.pack.Damage(p.frame, seen)
	}
	return proven
}

// begin says that the frame of a piece is being proven, if all of it is.
func (f Proofs) begin(p *piece) {
	if f == nil || !p.whole {
		return
	}
	if f[p.pack.Path] == nil {
		f[p.pack.Path] = map[int]error{}
	}
	f[p.pack.Path][p.frame] = nil
}

// end says how the proof that began for a piece ended.
func (f Proofs) end(p *piece) {
	if f == nil || !p.whole || p.err == nil {
		return
	}
	if damage, ok := errors.AsType[*DamageError](p.err); ok {
		f[p.pack.Path][p.frame] = damage.Err
		return
	}
	delete(f[p.pack.Path], p.frame) // it could not be read, which says nothing of it
}
