package archive

import (
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// cachedFrames bounds the unpacked frames that are kept: streams go back and forth between packs.
const cachedFrames = 20

// Unpacker unpacks frames of packs, each once while it is remembered. It may be used by several goroutines.
type Unpacker struct {
	decoders sync.Pool
	buffers  sync.Pool // of unpacked frames
	mu       sync.Mutex
	frames   map[frameKey]*unpacked
	order    []frameKey // the latest request is last
}

type frameKey struct {
	pack  *Pack
	frame int
}

// unpacked is a frame that is remembered or in use; when it is neither, its memory is used again.
type unpacked struct {
	key  frameKey
	once sync.Once
	raw  []byte
	err  error
	uses int
	gone bool // not remembered any more
}

// NewUnpacker has nothing unpacked yet.
func NewUnpacker() *Unpacker { return &Unpacker{frames: map[frameKey]*unpacked{}} }

// get is the unpacked frame. Nobody may change it, and whoever got it gives it back by release.
func (u *Unpacker) get(p *Pack, frame int) *unpacked {
	entry := u.entry(frameKey{p, frame})
	entry.once.Do(func() { entry.raw, entry.err = u.unpack(p, frame) })
	return entry
}

func (u *Unpacker) entry(key frameKey) *unpacked {
	u.mu.Lock()
	defer u.mu.Unlock()

	entry := u.frames[key]
	if entry == nil {
		if len(u.order) >= cachedFrames {
			u.forget(u.frames[u.order[0]])
		}
		entry = &unpacked{key: key}
		u.frames[key] = entry
	} else {
		u.unlist(key)
	}

	u.order = append(u.order, key)
	entry.uses++
	return entry
}

func (u *Unpacker) unlist(key frameKey) {
	u.order = slices.DeleteFunc(u.order, func(k frameKey) bool { return k == key })
}

func (u *Unpacker) forget(entry *unpacked) {
	delete(u.frames, entry.key)
	u.unlist(entry.key)
	entry.gone = true
	u.reuse(entry)
}

// release gives a frame back. With forget it will hardly be asked for again.
func (u *Unpacker) release(entry *unpacked, forget bool) {
	u.mu.Lock()
	defer u.mu.Unlock()

	entry.uses--
	if forget && !entry.gone {
		u.forget(entry)
		return
	}
	u.reuse(entry)
}

func (u *Unpacker) reuse(entry *unpacked) {
	if entry.gone && entry.uses == 0 && cap(entry.raw) > 0 {
		u.buffers.Put(&entry.raw)
	}
}

// tools are what one goroutine needs to unpack.
type tools struct {
	dec    *zstd.Decoder
	packed []byte
}

func (u *Unpacker) unpack(p *Pack, frame int) ([]byte, error) {
	t, _ := u.decoders.Get().(*tools)
	if t == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(FrameMax), zstd.WithDecoderMaxWindow(FrameMax))
		if err != nil {
			return nil, err
		}
		t = &tools{dec: dec}
	}

	defer u.decoders.Put(t)
	var err error
	if t.packed, err = p.Packed(frame, t.packed); err != nil {
		return nil, err
	}
	want := p.Table.Frames[frame].Raw
	raw, err := t.dec.DecodeAll(t.packed, u.buffer(want))
	if err == nil && int64(len(raw)) != want {
		err = fmt.Errorf("it unpacks to %d bytes, not %d", len(raw), want)
	}
	if err != nil {
		return nil, p.Damage(frame, err)
	}
	return raw, nil
}

// buffer has room for a frame of so many bytes.
func (u *Unpacker) buffer(size int64) []byte {
	if used, _ := u.buffers.Get().(*[]byte); used != nil && int64(cap(*used)) >= size {
		return (*used)[:0]
	}
	return make([]byte, 0, size)
}

// Unpack unpacks a frame of a pack and proves every block of it; visit is given each. Nothing is remembered.
func (u *Unpacker) Unpack(p *Pack, frame int, visit func(i int, block []byte) error) error {
	raw, err := u.unpack(p, frame)
	if err != nil {
		return err
	}
	defer u.buffers.Put(&raw)
	return p.Blocks(frame, raw, visit)
}
