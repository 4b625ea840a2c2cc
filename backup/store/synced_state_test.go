package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// What was removed from one bucket is remembered also while the backup is brought to another one: it must not be sent
// there again.
func TestEveryBucketIsRemembered(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	if SyncedOf(b) != nil || WasSynced(b, "s3://one") {
		t.Error("it never left the host")
	}
	must(t, s.MarkSynced(b, "s3://one"))
	if y := SyncedOf(b); y == nil || y.Store != "s3://one" {
		t.Errorf("%+v", y)
	}
	must(t, s.ForgetSynced(b))
	if y := SyncedOf(b); y != nil {
		t.Errorf("it is in no bucket, and yet %+v", y)
	}
	must(t, s.MarkSynced(b, "s3://two"))
	must(t, s.ForgetSynced(b))
	must(t, s.MarkSynced(b, "s3://two"))
	if y := SyncedOf(b); y == nil || y.Store != "s3://two" || len(y.Stores) != 2 {
		t.Errorf("%+v", y)
	}
	if !WasSynced(b, "s3://one") || !WasSynced(b, "s3://two") || WasSynced(b, "s3://three") {
		t.Error("it was brought to two buckets")
	}
}

// A note from before there was a list of buckets names the one that it was written for.
func TestANoteWithoutAListOfBuckets(t *testing.T) {
	s := testStore(t, Options{})
	b := create(t, s, newOf("alpha"), sampleHome()...)
	note := fmt.Sprintf(`{"at":"2026-11-27T10:00:00Z","store":"s3://one","sha256":%q}`, b.Manifest.Archive.SHA256)
	must(t, os.WriteFile(filepath.Join(b.Dir, syncedName), []byte(note), 0o600))
	if SyncedOf(b) == nil || !WasSynced(b, "s3://one") {
		t.Error("it is in the bucket")
	}
	must(t, s.ForgetSynced(b))
	if SyncedOf(b) != nil || !WasSynced(b, "s3://one") {
		t.Error("it was in the bucket, and is not there any more")
	}
}
