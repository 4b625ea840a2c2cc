package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"sandkeeper/internal/disk"
)

// ErrBaseDamaged means that the previous backup, which the new one so far equals, turned out to be damaged: the content has to be
// read again, without it.
var ErrBaseDamaged = errors.New("the previous backup is damaged")

// BaseReader is the previous backup of a sandbox while a new one is compared with it. Its archive is proven at the same time, frame
// by frame against its manifest; nothing of it is used that is not proven.
type BaseReader struct {
	frames []Frame
	path   string
	sink   io.Writer  // what handOver writes to
	whole  chan error // one value: whether the archive is what its manifest says
	Stop   context.CancelFunc
}

// OpenBase starts the proof that the archive at path is these frames.
func OpenBase(ctx context.Context, path string, frames []Frame, sink io.Writer) *BaseReader {
	ctx, stop := context.WithCancel(ctx)
	b := &BaseReader{frames: frames, path: path, sink: sink, whole: make(chan error, 1), Stop: stop}
	go func() { b.whole <- b.copyProven(ctx, io.Discard, len(b.frames)) }()
	return b
}

// matches reports whether frame i of the previous backup holds what f, not yet packed, holds.
func (b *BaseReader) matches(i int, f Frame) bool {
	return i < len(b.frames) && b.frames[i].Raw == f.Raw && b.frames[i].Digest == f.Digest
}

// prove waits until the whole previous archive is proven.
func (b *BaseReader) prove(ctx context.Context) error {
	defer b.Stop()
	select {
	case err := <-b.whole:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// handOver writes the first n frames of the previous archive to the new one, packed as they are, each after its proof.
func (b *BaseReader) handOver(ctx context.Context, n int) error {
	b.Stop()
	if n == 0 {
		return nil
	}
	return b.copyProven(ctx, b.sink, n)
}

// copyProven copies the first n frames; all of them must be the whole file.
func (b *BaseReader) copyProven(ctx context.Context, to io.Writer, n int) error {
	f, err := disk.OpenPlain(b.path)
	if err != nil {
		return b.damaged(err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 256<<10)
	var packed []byte
	for i, frame := range b.frames[:n] {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if packed, err = readFrame(in, packed, frame); err != nil {
			return b.damaged(err)
		}
		if digestOf(packed) != frame.Packed {
			return b.damaged(fmt.Errorf("frame %d has other bytes", i))
		}
		if _, err := to.Write(packed); err != nil {
			return err
		}
	}
	if _, err := in.ReadByte(); n == len(b.frames) && err != io.EOF {
		return b.damaged(errors.New("bytes follow its last frame"))
	}
	return nil
}

func (b *BaseReader) damaged(err error) error {
	return fmt.Errorf("%s: %w: %w", b.path, ErrBaseDamaged, err)
}

// readFrame reads one packed frame into buf, which grows as needed.
func readFrame(in io.Reader, buf []byte, frame Frame) ([]byte, error) {
	if frame.Size <= 0 || frame.Size > FrameMax || frame.Raw <= 0 || frame.Raw > FrameMax {
		return buf, fmt.Errorf("a frame of %d bytes in %d is outside the limit of %d", frame.Raw, frame.Size, FrameMax)
	}
	if int64(cap(buf)) < frame.Size {
		buf = make([]byte, frame.Size)
	}
	buf = buf[:frame.Size]
	_, err := io.ReadFull(in, buf)
	return buf, err
}
