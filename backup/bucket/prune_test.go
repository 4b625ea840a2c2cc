package bucket

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sandkeeper/backup/store"
)

// prune removes a backup from the bucket, and what nobody needs any more.
func (f *fixture) prune(b *Bucket, gone ...store.Backup) ([]*LockedError, error) {
	f.t.Helper()
	v, st := f.view(b)
	s, err := b.Begin(f.t.Context(), Removing, "here", 1)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = s.End(f.t.Context()) }()
	for _, g := range gone {
		listed, err := st.Find(g.Sandbox, g.ID)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := s.Remove(f.t.Context(), v, listed); err != nil {
			return nil, err
		}
	}
	return s.Collect(f.t.Context())
}

// A pruning frees what nobody needs, all versions of it, and whatever stays can be restored.
func TestPruneKeepsWhatOthersShare(t *testing.T) {
	f := newFixture(t, false)
	first := f.save("alpha", "one", 1<<20)
	second := f.save("alpha", "two", 1<<20)
	third := f.save("alpha", "three", 1<<20)
	f.mustSync(f.open("host1"), "alpha")
	if locked, err := f.prune(f.open("host1"), first); err != nil || len(locked) != 0 {
		t.Fatal(locked, err)
	}
	f.assertSame(f.open("host1"), "alpha", second, third)
	for key := range f.server.Keys(t, "backups") {
		if strings.Contains(key, "/"+first.ID+"/") {
			t.Errorf("%s is left", key)
		}
	}
	if _, err := f.prune(f.open("host1"), second, third); err != nil {
		t.Fatal(err)
	}
	all, err := f.open("host1").versions(t.Context(), "")
	for key, versions := range all {
		t.Errorf("%s is left, in %d versions", key, len(versions))
	}
	if err != nil {
		t.Error(err)
	}
	if p := f.mustSync(f.open("host1"), "alpha"); p.Sent == 0 {
		t.Error("nothing is there, and nothing was sent")
	}
	f.assertSame(f.open("host1"), "alpha", first, second, third)
}

// What a prune has taken away does not come back with the next sync.
func TestWhatWasPrunedIsNotSentAgain(t *testing.T) {
	f := newFixture(t, false)
	first := f.save("alpha", "one", 1000)
	second := f.save("alpha", "two", 1000)
	f.mustSync(f.open("host1"), "alpha")
	if _, err := f.prune(f.open("host1"), first); err != nil {
		t.Fatal(err)
	}
	f.mustSync(f.open("host1"), "alpha")
	f.assertSame(f.open("host1"), "alpha", second)
}

// Locked backups stay until their date, which is said; a backup that shares an old pack locks it anew, so that it is there after the lock of
// the first backup has ended.
func TestRetentionFollowsWhatIsShared(t *testing.T) {
	f := newFixture(t, true)
	f.retain = Retention{Mode: Governance, For: 6 * time.Second}
	first := f.save("alpha", "one", 1<<20)
	f.now = time.Now()
	f.mustSync(f.open("host1"), "alpha")

	f.now = time.Now()
	locked, err := f.prune(f.open("host1"), first)
	held, ok := errors.AsType[*LockedError](err)
	if !ok || held.Until.IsZero() || !strings.Contains(held.Object, first.ID) || len(locked) != 0 {
		t.Fatalf("a locked backup was removed: %v, %v", locked, err)
	}

	f.retain.For = time.Hour
	second := f.save("alpha", "two", 1<<20)
	f.now = time.Now()
	f.mustSync(f.open("host1"), "alpha")
	time.Sleep(time.Until(held.Until.Add(time.Second)))

	f.now = time.Now()
	if locked, err = f.prune(f.open("host1"), first); err != nil {
		t.Fatalf("its lock has ended: %v", err)
	}
	if len(locked) != 0 {
		t.Errorf("locked although nobody needs it: %v", locked)
	}
	f.assertSame(f.open("host1"), "alpha", second)
	for key, o := range mustList(f) {
		if strings.Contains(key, packsFolder+"/"+first.ID) {
			assertLocked(f, key, f.now.Add(50*time.Minute))
			_ = o
		}
	}
	_, err = f.prune(f.open("host1"), second)
	if held, ok = errors.AsType[*LockedError](err); !ok || time.Until(held.Until) < 50*time.Minute {
		t.Errorf("the second one is locked for an hour: %v", err)
	}
}

func mustList(f *fixture) map[string]listed {
	f.t.Helper()
	b := f.open("host1")
	have, err := b.list(f.t.Context(), b.home())
	if err != nil {
		f.t.Fatal(err)
	}
	return have
}

func assertLocked(f *fixture, key string, until time.Time) {
	f.t.Helper()
	head, err := f.server.Client.HeadObject(f.t.Context(), &s3.HeadObjectInput{Bucket: aws.String("backups"), Key: &key})
	if err != nil {
		f.t.Fatal(err)
	}
	if have := aws.ToTime(head.ObjectLockRetainUntilDate); have.Before(until) {
		f.t.Errorf("%s is locked until %s, not %s", key, have, until)
	}
}

// A run that gave another mode of the lock by mistake locks the objects that were there as they were locked, and the
// next one, with the right mode, goes on. Where the lock would have to become one that nobody can lift, and may not, the
// error says how long that lasts and what helps.
func TestALockKeepsItsMode(t *testing.T) {
	f := newFixture(t, true)
	f.now = time.Now()
	sync := func(mode string, lasts time.Duration) error {
		f.retain = Retention{Mode: mode, For: lasts}
		_, err := f.sync(f.open("host1"), "alpha")
		return err
	}
	f.save("alpha", "one", 1000)
	if err := sync(Compliance, time.Hour); err != nil {
		t.Fatal(err)
	}
	second := f.save("alpha", "two", 1000)
	if err := sync(Governance, 2*time.Hour); err != nil {
		t.Fatalf("governance where compliance was: %v", err)
	}
	for key := range mustList(f) {
		if strings.Contains(key, packsFolder+"/") && !strings.Contains(key, second.ID) {
			assertLocked(f, key, f.now.Add(time.Hour+50*time.Minute))
		}
	}

	f.save("alpha", "two", 1000)
	err := sync(Compliance, 3*time.Hour)
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Kind != Denied || !strings.Contains(failed.Hint, "--retain-mode governance until then") {
		t.Fatalf("compliance where governance is: %v", err)
	}
	if err := sync(Governance, 3*time.Hour); err != nil {
		t.Errorf("what the error said: %v", err)
	}
}

// A lock that a bucket cannot give is an error before anything is written.
func TestABucketWithoutLockIsSaid(t *testing.T) {
	f := newFixture(t, false)
	f.retain = Retention{Mode: Compliance, For: time.Hour}
	f.save("alpha", "one", 100)
	_, err := f.sync(f.open("host1"), "alpha")
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Kind != NoLock || !strings.Contains(failed.Hint, "--retain-days") {
		t.Errorf("got %v", err)
	}
	if keys := f.server.Keys(t, "backups"); len(keys) != 0 {
		t.Errorf("something was written: %v", keys)
	}
}

// A manifest that somebody removed by hand, so that only the mark of the removal is there, is written again.
func TestAMarkOfARemovalIsNoObject(t *testing.T) {
	f := newFixture(t, true)
	saved := f.save("alpha", "one", 1000)
	b := f.open("host1")
	f.mustSync(b, "alpha")
	for key := range f.server.Keys(t, "backups") {
		if err := b.remove(context.Background(), key); err != nil {
			t.Fatal(err)
		}
	}
	if keys := f.server.Keys(t, "backups"); len(keys) != 0 {
		t.Fatalf("left: %v", keys)
	}
	f.mustSync(f.open("host1"), "alpha")
	f.assertSame(f.open("host1"), "alpha", saved)
}

// TestHiddenVersionsOfANoteAreNamedWithTheirLock: of a note that was written twice, the newer version goes, and the one that it hid is
// named with its date.
func TestHiddenVersionsOfANoteAreNamedWithTheirLock(t *testing.T) {
	f := newFixture(t, true)
	const short = 5 * time.Second // longer than it takes to write what is locked, also on a busy machine
	f.retain = Retention{Mode: Governance, For: short}
	first := f.save("alpha", "one", 1000)
	f.now = time.Now()
	f.mustSync(f.open("host1"), "alpha")
	for _, locked := range []time.Duration{time.Hour, short} {
		f.now, f.retain.For = time.Now(), locked
		v, st := f.view(f.open("host1"))
		listed, err := st.Find("alpha", first.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.MarkVerified(t.Context(), listed); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Until(f.now.Add(short + time.Second)))
	f.now, f.retain = time.Now(), Retention{}
	locked, err := f.prune(f.open("host1"), first)
	if err != nil || len(locked) != 1 || !strings.HasSuffix(locked[0].Object, "/"+verifiedName) || locked[0].Until.Before(f.now.Add(50*time.Minute)) {
		t.Errorf("locked: %v, %v; want the first note, for an hour", locked, err)
	}
}

// A backup that is older than what is in the bucket, and was never there, is sent: it was imported, or was damaged until
// now. What was pruned there stays away beside it, and all can be restored after the next prune.
func TestAnOlderBackupThatNeverWasThereIsSent(t *testing.T) {
	f := newFixture(t, false)
	first := f.save("alpha", "one", 1<<20)
	late := f.save("alpha", "two", 1<<20)
	third := f.save("alpha", "three", 1<<20)
	away := filepath.Join(t.TempDir(), late.ID)
	f.move(late.Dir, away)
	f.mustSync(f.open("host1"), "alpha")
	if _, err := f.prune(f.open("host1"), first); err != nil {
		t.Fatal(err)
	}
	f.move(away, late.Dir)
	f.mustSync(f.open("host1"), "alpha")
	f.assertSame(f.open("host1"), "alpha", late, third)
	if _, err := f.prune(f.open("host1"), third); err != nil {
		t.Fatal(err)
	}
	f.assertSame(f.open("host1"), "alpha", late)
}

func (f *fixture) move(from, to string) {
	f.t.Helper()
	if err := os.Rename(from, to); err != nil {
		f.t.Fatal(err)
	}
}
