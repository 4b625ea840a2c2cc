package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/aws/smithy-go"
)

// LockedError says that an object cannot be removed yet.
type LockedError struct {
	Object string
	Until  time.Time // zero where the server does not say
	Hold   bool      // a legal hold, which has no end
}

// Error names object and date.
func (e *LockedError) Error() string {
	switch {
	case e.Hold:
		return fmt.Sprintf("%s is under a legal hold", e.Object)
	case e.Until.IsZero():
		return fmt.Sprintf("%s is locked", e.Object)
	}
	return fmt.Sprintf("%s is locked until %s", e.Object, e.Until.UTC().Format(time.RFC3339))
}

// version is one version of an object, or the mark of a removal.
type version struct{ key, id string }

// versions lists all versions below a prefix, by key. A server without versions has one of each object.
func (b *Bucket) versions(ctx context.Context, prefix string) (map[string][]version, error) {
	client, err := b.connect()
	if err != nil {
		return nil, b.fail("list", prefix, err)
	}
	found := map[string][]version{}
	for in := (&s3.ListObjectVersionsInput{Bucket: &b.name, Prefix: &prefix}); ; {
		page, err := client.ListObjectVersions(ctx, in)
		if unknown(err) {
			return b.onlyVersions(ctx, prefix)
		}
		if err != nil {
			return nil, b.fail("list versions of", prefix, err)
		}
		for _, v := range page.Versions {
			key := aws.ToString(v.Key)
			found[key] = append(found[key], version{key, aws.ToString(v.VersionId)})
		}
		for _, m := range page.DeleteMarkers {
			key := aws.ToString(m.Key)
			found[key] = append(found[key], version{key, aws.ToString(m.VersionId)})
		}
		if in.KeyMarker, in.VersionIdMarker = page.NextKeyMarker, page.NextVersionIdMarker; !aws.ToBool(page.IsTruncated) {
			return found, nil
		}
	}
}

func (b *Bucket) onlyVersions(ctx context.Context, prefix string) (map[string][]version, error) {
	have, err := b.list(ctx, prefix)
	found := map[string][]version{}
	for key := range have {
		found[key] = []version{{key: key}}
	}
	return found, err
}

// removeVersions removes an object with all of its versions, and the marks of earlier removals.
func (b *Bucket) removeVersions(ctx context.Context, key string) error {
	all, err := b.versions(ctx, key)
	if err != nil {
		return err
	}
	return b.removeAll(ctx, all[key])
}

// removeAll removes versions of one object. One that is locked is a *LockedError, and the others are removed all the
// same.
func (b *Bucket) removeAll(ctx context.Context, versions []version) error {
	client, err := b.connect()
	if err != nil {
		return err
	}
	var problems error
	for _, v := range versions {
		in := &s3.DeleteObjectInput{Bucket: &b.name, Key: &v.key}
		if v.id != "" {
			in.VersionId = &v.id
		}
		_, err := client.DeleteObject(ctx, in)
		if err != nil && !absent(err) {
			problems = errors.Join(problems, b.whyKept(ctx, v, err))
		}
		if ctx.Err() != nil {
			return errors.Join(problems, context.Cause(ctx))
		}
	}

	if problems == nil && len(versions) > 0 {
		b.mu.Lock()
		delete(b.facts, versions[0].key)
		b.mu.Unlock()
	}

	return problems
}

// whyKept asks whether it is a lock for which a version was not removed.
func (b *Bucket) whyKept(ctx context.Context, v version, err error) error {
	api, said := errors.AsType[smithy.APIError](err)
	if !said || !slices.Contains([]string{"AccessDenied", "ObjectLocked", "InvalidRequest"}, api.ErrorCode()) {
		return b.fail("remove", v.key, err)
	}
	client, problem := b.connect()
	if problem != nil {
		return b.fail("remove", v.key, err)
	}
	in := &s3.HeadObjectInput{Bucket: &b.name, Key: &v.key}
	if v.id != "" {
		in.VersionId = &v.id
	}
	head, problem := client.HeadObject(ctx, in)
	if problem != nil {
		return b.fail("remove", v.key, err)
	}
	until := aws.ToTime(head.ObjectLockRetainUntilDate)
	hold := head.ObjectLockLegalHoldStatus == "ON"
	if !hold && !until.After(b.o.Now()) {
		return b.fail("remove", v.key, err)
	}
	return &LockedError{Object: b.object(v.key), Until: until, Hold: hold}
}
