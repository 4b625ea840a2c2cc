package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// errBaseDamaged means that the previous backup, which the new one so far equals, turned out to be damaged: the content has to be
// read again, without it.
var errBaseDamaged = errors.New("the previous backup is damaged")

// baseReader is the previous backup of a sandbox while a new one is compared with it. One goroutine proves its archive, frame by
// frame, at the same time; nothing of it is used before that part is proven.
type baseReader struct {
	frames []Frame
	path   string
	sha256 string
	sink   *archiveSink // what handOver writes to

	mu     sync.Mutex
	moved  chan struct{} // closed and replaced at every step of the proof
	states [][]byte      // SHA-256 state after so many proven frames
	err    error         // why the proof ended early; io.EOF when all is proven
	stop   context.CancelFunc
}

// openBase starts the proof of the archive at path.
func openBase(ctx context.Context, path string, m *Manifest, sink *archiveSink) *baseReader {
	ctx, stop := context.WithCancel(ctx)
	b := &baseReader{frames: m.Index.Frames, path: path, sha256: m.Archive.SHA256, sink: sink, moved: make(chan struct{}), stop: stop}
	go func() { b.step(nil, b.proveFrames(ctx)) }()
	return b
}

// matches reports whether frame i of the previous backup holds exactly raw.
func (b *baseReader) matches(i int, raw []byte) bool {
	return i < len(b.frames) && b.frames[i].Raw == int64(len(raw)) && b.frames[i].Digest == digestOf(raw)
}

func (b *baseReader) proveFrames(ctx context.Context) error {
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	h := sha256.New()
	if err := b.snapshot(h); err != nil {
		return err
	}
	var packed []byte
	for i, frame := range b.frames {
		if err := ctx.Err(); err != nil {
			return err
		}
		if packed, err = readFrame(in, packed, frame); err != nil {
			return err
		}
		if digestOf(packed) != frame.Packed {
			return fmt.Errorf("frame %d has other bytes", i)
		}
		h.Write(packed)
		if err := b.snapshot(h); err != nil {
			return err
		}
	}
	if _, err := in.ReadByte(); err != io.EOF || hex.EncodeToString(h.Sum(nil)) != b.sha256 {
		return errors.New("its SHA-256 differs")
	}
	return io.EOF
}

func (b *baseReader) snapshot(h any) error {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary() // every hash of the standard library has it
	b.step(state, nil)
	return err
}

func (b *baseReader) step(state []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if state != nil {
		b.states = append(b.states, state)
	}
	b.err = err
	close(b.moved)
	b.moved = make(chan struct{})
}

// await waits until the first n frames are proven and returns the SHA-256 state after them; with whole, until the archive is.
func (b *baseReader) await(ctx context.Context, n int, whole bool) ([]byte, error) {
	for {
		b.mu.Lock()
		states, err, moved := b.states, b.err, b.moved
		b.mu.Unlock()
		switch {
		case errors.Is(err, io.EOF), !whole && n < len(states):
			return states[n], nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w: %w", b.path, errBaseDamaged, err)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// prove waits until the whole previous archive is proven.
func (b *baseReader) prove(ctx context.Context) error {
	defer b.stop()
	_, err := b.await(ctx, len(b.frames), true)
	return err
}

// handOver writes the first n frames of the previous archive to the new one, as they are packed, once they are proven.
func (b *baseReader) handOver(ctx context.Context, n int) error {
	defer b.stop()
	state, err := b.await(ctx, n, false)
	if err != nil || n == 0 {
		return err
	}
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	size := int64(0)
	for _, frame := range b.frames[:n] {
		size += frame.Size
	}
	return b.sink.adopt(io.LimitReader(f, size), size, state)
}

// readFrame reads one packed frame into buf, which grows as needed.
func readFrame(in io.Reader, buf []byte, frame Frame) ([]byte, error) {
	if frame.Size <= 0 || frame.Size > frameMax || frame.Raw <= 0 || frame.Raw > frameMax {
		return buf, fmt.Errorf("a frame of %d bytes in %d is outside the limit of %d", frame.Raw, frame.Size, frameMax)
	}
	if int64(cap(buf)) < frame.Size {
		buf = make([]byte, frame.Size)
	}
	buf = buf[:frame.Size]
	_, err := io.ReadFull(in, buf)
	return buf, err
}
