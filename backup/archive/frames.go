package archive

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
)

// The sizes of frames, and how many are packed at once.
const (
	frameRaw    = 1 << 20  // bytes of the tar stream in one frame; the last one is shorter
	FrameMax    = 16 << 20 // largest frame, raw or packed, that is read: an upper bound for foreign manifests
	maxPackers  = 6        // (packers + 2) jobs of two buffers stay well below 64 MiB
	DigestBytes = 16
)

// errAbandoned stops the packers of an archive that nobody wants any more.
var errAbandoned = errors.New("abandoned")

// frameWriter cuts a stream into independent zstd frames, packs several at once and writes them in order.
// One goroutine calls Write and Close; the sink is written by one goroutine at a time.
type frameWriter struct {
	ctx     context.Context
	sink    io.Writer
	base    *BaseReader // nil, or the previous backup while everything so far equals it
	digest  *streamDigest
	Frames  []Frame
	job     *packJob
	free    chan *packJob
	pack    chan *packJob
	ordered chan *packJob
	group   sync.WaitGroup
	failed  atomic.Pointer[error]
	running bool
}

// packJob is one frame on its way through the packers.
type packJob struct {
	raw    []byte
	packed []byte
	frame  Frame
	done   chan struct{}
}

// NewFrameWriter packs what is written to it into frames for out; base, when there is one, is the previous archive that it is compared with.
func NewFrameWriter(ctx context.Context, sink io.Writer, base *BaseReader) *frameWriter {
	workers := min(runtime.GOMAXPROCS(0), maxPackers)
	w := &frameWriter{
		ctx: ctx, sink: sink, base: base, digest: NewStreamDigest(),
		free:    make(chan *packJob, workers+2),
		pack:    make(chan *packJob, workers+2),
		ordered: make(chan *packJob, workers+2),
	}
	for range workers + 2 {
		w.free <- &packJob{}
	}
	return w
}

// Write takes the next bytes of the stream. It waits while all buffers are in use.
func (w *frameWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if w.job == nil {
			if err := w.nextJob(); err != nil {
				return len(p) - len(rest), err
			}
		}
		n := min(len(rest), frameRaw-len(w.job.raw))
		w.job.raw = append(w.job.raw, rest[:n]...)
		w.digest.pass(rest[:n])
		rest = rest[n:]
		if len(w.job.raw) == frameRaw {
			if err := w.emit(); err != nil {
				return len(p) - len(rest), err
			}
		}
	}
	return len(p), nil
}

func (w *frameWriter) nextJob() error {
	select {
	case w.job = <-w.free:
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	if w.job.raw == nil {
		w.job.raw = make([]byte, 0, frameRaw)
	}
	w.job.raw = w.job.raw[:0]
	w.job.done = make(chan struct{})
	if failure := w.failed.Load(); failure != nil {
		return *failure
	}
	return nil
}

// emit hands the current frame on: compared with the previous backup as long as that is equal, else to the packers.
func (w *frameWriter) emit() error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	w.job.frame = Frame{Raw: int64(len(w.job.raw)), Digest: w.digest.endFrame()}
	if w.base != nil {
		if w.base.matches(len(w.Frames), w.job.frame) {
			w.Frames = append(w.Frames, w.base.frames[len(w.Frames)])
			w.free <- w.job
			w.job = nil
			return nil
		}
		if err := w.diverge(); err != nil {
			return err
		}
	}
	if !w.running {
		w.start()
	}
	w.ordered <- w.job
	w.pack <- w.job
	w.job = nil
	return nil
}

// diverge takes over the proven beginning of the previous archive, packed as it is, and goes on without it.
func (w *frameWriter) diverge() error {
	base := w.base
	w.base = nil
	return base.handOver(w.ctx, len(w.Frames))
}

func (w *frameWriter) start() {
	w.running = true
	for range cap(w.free) - 2 {
		w.group.Go(w.packFrames)
	}
	w.group.Go(w.writeFrames)
}

func (w *frameWriter) packFrames() {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(true), zstd.WithWindowSize(frameRaw), zstd.WithLowerEncoderMem(true))
	if err != nil {
		w.failed.CompareAndSwap(nil, &err)
	}
	for job := range w.pack {
		if w.failed.Load() == nil {
			job.packed = enc.EncodeAll(job.raw, job.packed[:0])
			job.frame.Size, job.frame.Packed = int64(len(job.packed)), digestOf(job.packed)
		}
		close(job.done)
	}
}

func (w *frameWriter) writeFrames() {
	for job := range w.ordered {
		<-job.done
		if w.failed.Load() == nil {
			if _, err := w.sink.Write(job.packed); err != nil {
				w.failed.CompareAndSwap(nil, &err)
			}
			w.Frames = append(w.Frames, job.frame)
		}
		w.free <- job
	}
}

// Close packs what is left and waits for the last byte to be written. With abandon the rest is dropped; only goroutines end.
// unchanged reports that the whole stream equals the previous backup's and nothing was written.
func (w *frameWriter) Close(abandon bool) (unchanged bool, err error) {
	if !abandon {
		err = w.flush()
		unchanged = err == nil && w.base != nil
	}
	if abandon {
		w.failed.CompareAndSwap(nil, &errAbandoned)
	}
	if w.running {
		close(w.pack)
		close(w.ordered)
		w.group.Wait()
		w.running = false
	}
	if failure := w.failed.Load(); failure != nil && err == nil {
		err = *failure
	}
	return unchanged, err
}

func (w *frameWriter) flush() error {
	if w.job != nil && len(w.job.raw) > 0 {
		if err := w.emit(); err != nil {
			return err
		}
	}
	if w.base == nil {
		return nil
	}
	if len(w.Frames) < len(w.base.frames) {
		return w.diverge()
	}
	return w.base.prove(w.ctx)
}
