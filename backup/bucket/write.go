package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	"sandkeeper/internal/text"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// partSize is how much of an object travels at once, and partsAtOnce how many such parts of all objects: together they
// bound the memory. objectsAtOnce is how many objects of a backup are written at the same time, so that a part of the
// next one travels while the server puts one together.
const (
	partSize      = 8 << 20
	partsAtOnce   = 3
	objectsAtOnce = 2
)

// objectFacts are what is known of an object that is there: its length, and its checksum as S3 says it. That is the
// SHA-256 in base64; of an object in several parts it is taken over the parts' own, and their number follows.
type objectFacts struct {
	size   int64
	sum    string
	retain retained
}

// writer puts one object: in one request when it is small, else in parts. The object is visible when finish has
// returned without an error.
type writer struct {
	b    *Bucket
	ctx  context.Context
	key  string
	over bool // replace what is there; otherwise what is there wins

	match *string // with over: replace only the content of this tag

	buffer   []byte
	borrowed bool   // the buffer is one of the bucket's parts
	upload   string // id of the upload in parts; "" so far
	work     *errgroup.Group
	wctx     context.Context

	mu   sync.Mutex
	done []types.CompletedPart
	sums [][sha256.Size]byte
	size int64
}

func (b *Bucket) writer(ctx context.Context, key string) *writer {
	w := &writer{b: b, ctx: ctx, key: key}
	w.work, w.wctx = errgroup.WithContext(ctx)
	return w
}

// Write takes bytes of the object.
func (w *writer) Write(p []byte) (int, error) {
	taken := 0
	for len(p) > 0 {
		if len(w.buffer) == partSize {
			if err := w.send(); err != nil {
				return taken, err
			}
		}

		if w.buffer == nil {
			if err := w.borrow(); err != nil {
				return taken, err
			}
		}

		n := min(len(p), partSize-len(w.buffer))
		w.buffer = append(w.buffer, p[:n]...)
		taken, p = taken+n, p[n:]
		w.size += int64(n)
	}
	return taken, nil
}

// borrow waits for memory for the next part.
func (w *writer) borrow() error {
	select {
	case w.buffer = <-w.b.parts:
	case <-w.wctx.Done():
		return context.Cause(w.wctx)
	}
	if w.buffer == nil {
		w.buffer = make([]byte, 0, partSize)
	}
	w.borrowed = true
	return nil
}

// release gives back the memory that the writer holds.
func (w *writer) release() {
	if w.borrowed {
		w.b.parts <- w.buffer[:0]
		w.buffer, w.borrowed = nil, false
	}
}

// whole is an object that lies in memory as it is: a note, a manifest.
func whole(content []byte) func(*writer) error {
	return func(w *writer) error {
		w.buffer, w.size = content, int64(len(content))
		return nil
	}
}

// send begins to put the buffer as the next part.
func (w *writer) send() error {
	client, err := w.b.connect()
	if err != nil {
		return err
	}
	if w.upload == "" {
		in := &s3.CreateMultipartUploadInput{Bucket: &w.b.name, Key: &w.key, ChecksumAlgorithm: types.ChecksumAlgorithmSha256}
		in.ObjectLockMode, in.ObjectLockRetainUntilDate = w.b.lock()
		made, err := client.CreateMultipartUpload(w.ctx, in)
		if err != nil {
			return err
		}
		w.upload = aws.ToString(made.UploadId)
	}

	part := w.buffer
	w.buffer, w.borrowed = nil, false
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done, w.sums = append(w.done, types.CompletedPart{}), append(w.sums, [sha256.Size]byte{})
	number := len(w.done)
	w.work.Go(func() error {
		defer func() { w.b.parts <- part[:0] }()
		return w.sendPart(client, int32(number), part)
	})
	return nil
}

func (w *writer) sendPart(client *s3.Client, number int32, part []byte) error {
	sum := sha256.Sum256(part)
	text := base64.StdEncoding.EncodeToString(sum[:])
	put, err := client.UploadPart(w.wctx, &s3.UploadPartInput{
		Bucket: &w.b.name, Key: &w.key, UploadId: &w.upload, PartNumber: &number, Body: bytes.NewReader(part), ChecksumSHA256: &text,
	}, signed(sum))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done[number-1], w.sums[number-1] = types.CompletedPart{PartNumber: &number, ETag: put.ETag, ChecksumSHA256: &text}, sum
	return nil
}

// finish makes the object visible. An error for which exists is true means that there was one already.
func (w *writer) finish() (objectFacts, error) {
	defer w.release()
	client, err := w.b.connect()
	if err != nil {
		return objectFacts{}, err
	}
	if w.upload == "" {
		return w.putWhole(client)
	}
	if err := w.send(); err != nil {
		return objectFacts{}, errors.Join(err, w.work.Wait())
	}
	if err := w.work.Wait(); err != nil {
		return objectFacts{}, err
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &w.b.name, Key: &w.key, UploadId: &w.upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: w.done}, IfNoneMatch: w.condition(),
		IfMatch: w.match,
	}
	if _, err := client.CompleteMultipartUpload(w.ctx, in); err != nil {
		return objectFacts{}, err
	}
	w.upload = ""
	return objectFacts{size: w.size, sum: joinSums(w.sums), retain: w.b.retained()}, nil
}

func (w *writer) putWhole(client *s3.Client) (objectFacts, error) {
	sum := sha256.Sum256(w.buffer)
	text := base64.StdEncoding.EncodeToString(sum[:])
	in := &s3.PutObjectInput{Bucket: &w.b.name, Key: &w.key, Body: bytes.NewReader(w.buffer), ChecksumSHA256: &text, IfMatch: w.match, IfNoneMatch: w.condition()}
	in.ObjectLockMode, in.ObjectLockRetainUntilDate = w.b.lock()
	if _, err := client.PutObject(w.ctx, in, signed(sum)); err != nil {
		return objectFacts{}, err
	}
	return objectFacts{size: w.size, sum: text, retain: w.b.retained()}, nil
}

// condition is that nothing has the key yet.
func (w *writer) condition() *string {
	if w.over || w.b.ignores() {
		return nil
	}
	return aws.String("*")
}

// abandon takes back what was begun. What cannot be taken back now is taken back by a later run.
func (w *writer) abandon() {
	_ = w.work.Wait()
	w.release()
	client, err := w.b.connect()
	if err != nil || w.upload == "" {
		return
	}
	ctx, stop := text.Within(context.WithoutCancel(w.ctx), w.b.o.Stall)
	defer stop()
	_, _ = client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &w.b.name, Key: &w.key, UploadId: &w.upload})
}

// joinSums is the checksum of an object in parts.
func joinSums(parts [][sha256.Size]byte) string {
	if len(parts) == 1 {
		return base64.StdEncoding.EncodeToString(parts[0][:])
	}
	all := sha256.New()
	for _, sum := range parts {
		all.Write(sum[:])
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(all.Sum(nil)), len(parts))
}

func (b *Bucket) ignores() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ignore
}
