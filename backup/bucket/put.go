package bucket

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

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
		// (versitygw 1.8). Who may not remove it writes over it.
		if err := b.removeVersions(ctx, key); err != nil && !denied(err) {
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
