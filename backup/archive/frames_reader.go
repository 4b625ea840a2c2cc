package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// frameReader gives the raw stream of an archive: frames are read in order, several are unpacked at once, and each is
// checked before its bytes are seen. Errors are *DamageError or the context's.
type frameReader struct {
	ordered chan *unpackJob
	free    chan *unpackJob
	job     *unpackJob
	left    []byte
	Digest  *streamDigest // proves the digests of frames, and takes those of files; nil: neither
	file    string
	stop    context.CancelFunc
	group   sync.WaitGroup
	err     error // sticky
}

type unpackJob struct {
	number int
	frame  Frame
	packed []byte
	raw    []byte
	err    error // io.EOF after the last frame
	done   chan struct{}
}

// ReadFrames starts to read frames from src, which must end with the last of them. file names the archive in errors.
func ReadFrames(ctx context.Context, src io.Reader, frames []Frame, file string) *frameReader {
	ctx, stop := context.WithCancel(ctx)
	workers := min(runtime.GOMAXPROCS(0), maxPackers)
	r := &frameReader{ordered: make(chan *unpackJob, workers+2), free: make(chan *unpackJob, workers+2), file: file, stop: stop}
	for range workers + 2 {
		r.free <- &unpackJob{}
	}
	unpack := make(chan *unpackJob, workers+2)
	for range workers {
		r.group.Go(func() { unpackFrames(unpack, file) })
	}
	r.group.Go(func() {
		defer close(unpack)
		defer close(r.ordered)
		r.fetch(ctx, src, frames, file, unpack)
	})
	return r
}

// fetch reads packed frames and hands them on; the last job carries how the archive ended.
func (r *frameReader) fetch(ctx context.Context, src io.Reader, frames []Frame, file string, unpack chan<- *unpackJob) {
	in := bufio.NewReaderSize(src, 1<<20)
	for i := 0; ; i++ {
		var job *unpackJob
		select {
		case job = <-r.free:
		case <-ctx.Done():
			return
		}

		job.number, job.done, job.err = i, make(chan struct{}), nil
		if i == len(frames) {
			job.err = endOfFrames(in, file)
		} else {
			job.frame = frames[i]
			job.packed, job.err = readFrame(in, job.packed, frames[i])
			job.err = fetchDamage(job.err, file, i)
		}

		r.ordered <- job
		if job.err != nil {
			close(job.done)
			return
		}
		unpack <- job
	}
}

// fetchDamage says what it means that frame i could not be read.
func fetchDamage(err error, file string, i int) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Damagef(DamageTruncated, file, "it ends in frame %d", i)
	}
	if _, ok := errors.AsType[*DamageError](err); ok {
		return err
	}
	return &DamageError{Kind: DamageFrame, Object: fmt.Sprintf("%s, frame %d", file, i), Err: err}
}

// endOfFrames is io.EOF when nothing follows the last frame.
func endOfFrames(in *bufio.Reader, file string) error {
	switch _, err := in.ReadByte(); {
	case err == nil:
		return Damagef(DamageExtended, file, "bytes follow its last frame")
	case errors.Is(err, io.EOF):
		return io.EOF
	default:
		return &DamageError{Kind: DamageFrame, Object: file, Err: err}
	}
}

func unpackFrames(jobs <-chan *unpackJob, file string) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(FrameMax), zstd.WithDecoderMaxWindow(FrameMax))
	if err == nil {
		defer dec.Close()
	}
	for job := range jobs {
		if job.err = err; err == nil {
			job.err = job.unpack(dec)
		}
		if job.err != nil {
			job.err = &DamageError{Kind: DamageFrame, Object: fmt.Sprintf("%s, frame %d", file, job.number), Err: job.err}
		}
		close(job.done)
	}
}

// unpack decodes one frame and compares it with what the manifest says of it.
func (j *unpackJob) unpack(dec *zstd.Decoder) error {
	if j.frame.Packed != "" && digestOf(j.packed) != j.frame.Packed {
		return errors.New("its packed bytes have another digest")
	}
	if int64(cap(j.raw)) < j.frame.Raw {
		j.raw = make([]byte, 0, j.frame.Raw)
	}
	raw, err := dec.DecodeAll(j.packed, j.raw[:0])
	if err != nil {
		return err
	}
	j.raw = raw
	if int64(len(raw)) != j.frame.Raw {
		return fmt.Errorf("it unpacks to %d bytes, not %d", len(raw), j.frame.Raw)
	}
	return nil
}

// Read gives checked bytes.
func (r *frameReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.next()
	}

	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, r.prove(p[:n])
}

// prove takes in what was read, and compares at the end of a frame.
func (r *frameReader) prove(p []byte) error {
	if r.Digest == nil {
		return nil
	}
	r.Digest.pass(p)
	if len(r.left) == 0 && r.Digest.endFrame() != r.job.frame.Digest {
		r.err = Damagef(DamageFrame, fmt.Sprintf("%s, frame %d", r.file, r.job.number), "its bytes have another digest")
	}
	return r.err
}

func (r *frameReader) next() {
	if r.job != nil {
		r.free <- r.job
		r.job = nil
	}
	job, open := <-r.ordered
	if !open {
		r.err = context.Canceled
		return
	}
	<-job.done
	if job.err != nil {
		r.err = job.err
		return
	}
	r.job, r.left = job, job.raw
}

func (r *frameReader) failure() error { return r.err }

// Close ends the reading; the source may be closed after it.
func (r *frameReader) Close() error {
	r.stop()
	for range r.ordered { // let fetch end: it never waits for room, only for a free job
	}
	r.group.Wait()
	r.left = nil
	if r.err == nil {
		r.err = context.Canceled
	}
	return nil
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
