package bucket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Modes of object lock. Governance can be lifted by who has the right to; compliance by nobody, not even by the
// account's owner.
const (
	Governance = "governance"
	Compliance = "compliance"
)

// Retention is for how long nothing of a backup can be removed or replaced, by object lock. The zero value takes what
// the bucket does by itself.
type Retention struct {
	Mode string
	For  time.Duration
}

// retained is until when an object is locked; the zero value is not.
type retained struct {
	mode  types.ObjectLockRetentionMode
	until time.Time
}

// lock is what an object that is put now is locked with; nothing where the bucket does it by itself or not at all.
func (b *Bucket) lock() (types.ObjectLockMode, *time.Time) {
	r := b.retained()
	if r.until.IsZero() {
		return "", nil
	}
	return types.ObjectLockMode(r.mode), &r.until
}

// retained is until when what a backup of now uses must be locked.
func (b *Bucket) retained() retained {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.o.Retain
	if r.For == 0 {
		return retained{}
	}
	mode := types.ObjectLockRetentionModeGovernance
	if r.Mode == Compliance {
		mode = types.ObjectLockRetentionModeCompliance
	}
	return retained{mode: mode, until: b.o.Now().Add(r.For).UTC().Truncate(time.Second)}
}

// prepareLock asks the bucket whether it locks objects. A bucket that does so by itself sets the retention for those
// that are extended; one that cannot is an error where a lock was asked for.
func (b *Bucket) prepareLock(ctx context.Context) error {
	client, err := b.connect()
	if err != nil {
		return b.fail("look at", "", err)
	}
	have, err := client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &b.name})
	if err != nil {
		return b.unlocked(err)
	}
	set := have.ObjectLockConfiguration
	if set == nil || set.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
		return b.unlocked(nil)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if rule := set.Rule; b.o.Retain.For == 0 && rule != nil && rule.DefaultRetention != nil {
		const day = 24 * time.Hour
		d := rule.DefaultRetention
		b.o.Retain.For = time.Duration(aws.ToInt32(d.Days))*day + time.Duration(aws.ToInt32(d.Years))*365*day
		if d.Mode == types.ObjectLockRetentionModeCompliance {
			b.o.Retain.Mode = Compliance
		}
	}

	return nil
}

// unlocked is the answer of a bucket without object lock, which is an error only where a lock was asked for.
func (b *Bucket) unlocked(err error) error {
	kind := NoLock
	if err != nil {
		api, said := errors.AsType[smithy.APIError](err)
		if without := said && api.ErrorCode() == "ObjectLockConfigurationNotFoundError"; !without && !unknown(err) {
			if k := kindOf(err); k != Denied || b.o.Retain.For > 0 {
				return b.fail("look at the object lock of", "", err)
			}
			return nil // who may not look can still write
		}
	}

	if b.o.Retain.For == 0 {
		return nil
	}
	return &Error{Kind: kind, Op: "lock backups in", Object: "s3://" + b.name, Hint: hintOf(kind, "lock", b.name), Err: errors.New("the bucket has no object lock")}
}

// extend locks an object that is there already for as long as a backup of now wants it. A lock that nobody can lift
// stays one, whatever mode is asked for now; one that somebody could lift is not called the other.
func (b *Bucket) extend(ctx context.Context, key string) error {
	want, have := b.retained(), b.known(key).retain
	if want.until.IsZero() || !have.until.Before(want.until) {
		return nil
	}
	if have.mode == types.ObjectLockRetentionModeCompliance && have.until.After(b.o.Now()) {
		want.mode = have.mode
	}
	client, err := b.connect()
	if err != nil {
		return b.fail("lock", key, err)
	}
	_, err = client.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
		Bucket: &b.name, Key: &key, Retention: &types.ObjectLockRetention{Mode: want.mode, RetainUntilDate: &want.until},
	})
	if err != nil {
		return b.notExtended(key, have, want, err)
	}
	f := b.known(key)
	f.retain = want
	b.remember(key, f)
	return nil
}

// notExtended says why an object's lock did not become want.
func (b *Bucket) notExtended(key string, have, want retained, err error) error {
	problem := b.fail(fmt.Sprintf("lock until %s", want.until.Format(time.DateOnly)), key, err)
	failed, ok := errors.AsType[*Error](problem)
	if !ok || failed.Kind != Denied || have.mode != types.ObjectLockRetentionModeGovernance || want.mode == have.mode {
		return problem
	}
	failed.Hint = fmt.Sprintf("it is locked in governance mode until %s, and these credentials may not change that: give --retain-mode governance "+
		"until then, or another --store prefix, below which all is locked in compliance mode", have.until.UTC().Format(time.DateOnly))
	return failed
}
