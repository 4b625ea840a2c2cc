package bucket

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// errStalled means that an answer brought nothing for too long.
var errStalled = errors.New("nothing came for too long")

// ranges reads an object of a known length by ranges of a part's size, each asked for again when it is cut off.
type ranges struct {
	b    *Bucket
	ctx  context.Context
	key  string
	size int64

	at   int64
	part []byte // what is left of the range that was read last
	buf  []byte
}

func (b *Bucket) read(ctx context.Context, key string, size int64) *ranges {
	return &ranges{b: b, ctx: ctx, key: key, size: size}
}

// Read gives the object's bytes in order. An object that is shorter or longer than it was said to be is an error.
func (r *ranges) Read(p []byte) (int, error) {
	if len(r.part) == 0 {
		if r.at >= r.size {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}

	n := copy(p, r.part)
	r.part = r.part[n:]
	return n, nil
}

func (r *ranges) next() error {
	want := min(int64(partSize), r.size-r.at)
	if int64(cap(r.buf)) < want {
		r.buf = make([]byte, want)
	}
	var err error
	for try := range attempts {
		if try > 0 {
			select {
			case <-time.After(time.Duration(1<<try) * 50 * time.Millisecond):
			case <-r.ctx.Done():
				return context.Cause(r.ctx)
			}
		}

		if err = r.b.readRange(r.ctx, r.key, r.at, r.buf[:want]); err == nil {
			r.part, r.at = r.buf[:want], r.at+want
			return nil
		}
		if r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		if status(err) != 0 { // the server's own answer, which the SDK has asked for several times
			break
		}
	}

	return r.b.fail("read", r.key, err)
}

// readRange fills buf with the bytes of an object from at on.
func (b *Bucket) readRange(ctx context.Context, key string, at int64, buf []byte) error {
	client, err := b.connect()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	span := fmt.Sprintf("bytes=%d-%d", at, at+int64(len(buf))-1)
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key, Range: &span})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	watch := time.AfterFunc(b.o.Stall, func() { stop(errStalled) })
	defer watch.Stop()
	for filled := 0; filled < len(buf); {
		n, err := got.Body.Read(buf[filled:])
		filled += n
		watch.Reset(b.o.Stall)
		if err != nil && filled < len(buf) {
			if errors.Is(context.Cause(ctx), errStalled) {
				return fmt.Errorf("%w, after %d of %d bytes", errStalled, filled, len(buf))
			}
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("cut off after %d of %d bytes: %w", filled, len(buf), err)
		}
	}

	return nil
}

// readSum reads an object and takes its checksum as S3 says it of objects that were put by this program.
func (b *Bucket) readSum(ctx context.Context, key string, size int64) (string, error) {
	sums := &partSums{}
	if _, err := io.CopyBuffer(sums, onlyReader{b.read(ctx, key, size)}, make([]byte, 256<<10)); err != nil {
		return "", err
	}
	return sums.text(), nil
}

// onlyReader hides what else a reader can do, so that it is read piece by piece.
type onlyReader struct{ io.Reader }

// partSums takes the SHA-256 of each part of an object.
type partSums struct {
	done [][sha256.Size]byte
	part []byte
}

// Write takes the object's bytes in order.
func (s *partSums) Write(p []byte) (int, error) {
	taken := len(p)
	for len(p) > 0 {
		n := min(len(p), partSize-len(s.part))
		s.part = append(s.part, p[:n]...)
		p = p[n:]
		if len(s.part) == partSize {
			s.close()
		}
	}
	return taken, nil
}

func (s *partSums) close() {
	s.done = append(s.done, sha256.Sum256(s.part))
	s.part = s.part[:0]
}

func (s *partSums) text() string {
	if len(s.part) > 0 || len(s.done) == 0 {
		s.close()
	}
	return joinSums(s.done)
}

// small reads a whole object that is small.
func (b *Bucket) small(ctx context.Context, key string, size int64) ([]byte, error) {
	if size > maxSmall {
		return nil, b.fail("read", key, fmt.Errorf("it has %d bytes, which is too many for what it is", size))
	}
	return io.ReadAll(b.read(ctx, key, size))
}

// maxSmall bounds manifests and notes, which are read into memory.
const maxSmall = 64 << 20
