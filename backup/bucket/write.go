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

// put makes an object of what fill writes, unless there is one of that key: then that one stays, and made is false.
// fill may be called again.
func (b *Bucket) put(ctx context.Context, key string, fill func(*writer) error) (made bool, err error) {
	err = b.putOnce(ctx, key, false, fill)
	switch {
	case err == nil:
		return true, nil
	case exists(err):
		if there, err := b.look(ctx, key); there || err != nil {
			return false, err
		}
		// Only the mark of a removal is there, which some servers take for an object, also after it was removed
		// (versitygw 1.8).
		if err := b.removeVersions(ctx, key); err != nil {
			return false, err
		}
	case unknown(err):
		b.doubt()
	default:
		return false, b.fail("write", key, err)
	}

	err = b.putOnce(ctx, key, true, fill)
	return err == nil, b.fail("write", key, err)
}

// putOnce writes an object; over what is there only if over says so.
func (b *Bucket) putOnce(ctx context.Context, key string, over bool, fill func(*writer) error) error {
	w := b.writer(ctx, key)
	w.over = over
	err := fill(w)
	var facts objectFacts
	if err == nil {
		facts, err = w.finish()
	}
	if err != nil {
		w.abandon()
		return err
	}
	b.remember(key, facts)
	return nil
}

// replace makes the object of that key hold content, whatever it held.
func (b *Bucket) replace(ctx context.Context, key string, content []byte) error {
	return b.fail("write", key, b.putOnce(ctx, key, true, whole(content)))
}

// doubt notes that the server cannot refuse to replace an object. Keys have random parts, so that nobody replaces
// another's.
func (b *Bucket) doubt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ignore = true
	b.warn("the server of %s does not know If-None-Match: two hosts of one name could replace each other's objects; give each a name of its own with --store-host", b.Address())
}

func (b *Bucket) remember(key string, f objectFacts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.facts[key] = f
}

// look asks for the facts of an object, unless they are known.
func (b *Bucket) look(ctx context.Context, key string) (there bool, err error) {
	b.mu.Lock()
	_, known := b.facts[key]
	b.mu.Unlock()
	if known {
		return true, nil
	}
	client, err := b.connect()
	if err != nil {
		return false, b.fail("look at", key, err)
	}
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, b.fail("look at", key, err)
	}
	f := objectFacts{size: aws.ToInt64(head.ContentLength), sum: aws.ToString(head.ChecksumSHA256)}
	f.retain = retained{mode: types.ObjectLockRetentionMode(head.ObjectLockMode), until: aws.ToTime(head.ObjectLockRetainUntilDate)}
	if f.sum == "" {
		if f.sum, err = b.readSum(ctx, key, f.size); err != nil {
			return false, err
		}
	}

	b.remember(key, f)
	return true, nil
}

// known are the facts of an object that was put or looked at.
func (b *Bucket) known(key string) objectFacts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.facts[key]
}
