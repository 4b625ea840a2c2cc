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
	frameRaw    = 1 << 20  // bytes of blocks in one frame at most
	FrameMax    = 16 << 20 // largest frame, raw or packed, that is read: an upper bound for foreign manifests
	maxPackers  = 6        // (packers + 2) jobs of two buffers stay well below 64 MiB
	DigestBytes = 16
)

// ErrBaseDamaged means that blocks of earlier backups, which a new one relied on, turned out to be damaged: the content
// has to be read again, without them.
var ErrBaseDamaged = errors.New("an earlier backup is damaged")

// errAbandoned stops the packers of an archive that nobody wants any more.
var errAbandoned = errors.New("abandoned")

// frameWriter packs blocks into independent zstd frames, several at once, and writes them in order. A block is never
// cut in two. One goroutine calls put and Close; the sink is written by one goroutine at a time.
type frameWriter struct {
	ctx     context.Context
	sink    io.Writer
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

// newFrameWriter packs the blocks that are put into it into frames for sink.
func newFrameWriter(ctx context.Context, sink io.Writer) *frameWriter {
	workers := min(runtime.GOMAXPROCS(0), maxPackers)
	w := &frameWriter{
		ctx: ctx, sink: sink,
		free:    make(chan *packJob, workers+2),
		pack:    make(chan *packJob, workers+2),
		ordered: make(chan *packJob, workers+2),
	}
	for range workers + 2 {
		w.free <- &packJob{}
	}
	return w
}

// put takes the next block. It waits while all buffers are in use.
func (w *frameWriter) put(block []byte) error {
	if w.job != nil && len(w.job.raw)+len(block) > frameRaw {
		if err := w.emit(); err != nil {
			return err
		}
	}

	if w.job == nil {
		if err := w.nextJob(); err != nil {
			return err
		}
	}

	w.job.raw = append(w.job.raw, block...)
	return nil
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

// emit hands the current frame to the packers.
func (w *frameWriter) emit() error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	w.job.frame = Frame{Raw: int64(len(w.job.raw))}
	if !w.running {
		w.start()
	}
	w.ordered <- w.job
	w.pack <- w.job
	w.job = nil
	return nil
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

// Close packs what is left and waits for the last byte to be written. With abandon the rest is dropped; only goroutines
// end.
func (w *frameWriter) Close(abandon bool) (err error) {
	if abandon {
		w.failed.CompareAndSwap(nil, &errAbandoned)
	} else if w.job != nil && len(w.job.raw) > 0 {
		err = w.emit()
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
	return err
}
