// Package journaltest puts records on shelves as runs would that are dead, and looks at what is there.
package journaltest

import (
	"context"
	"errors"
	"testing"

	"sandkeeper/internal/journal"
)

// Leave puts a record whose owner is dead.
func Leave[E any](t testing.TB, shelf journal.Shelf[E], key string, e E) {
	t.Helper()
	record, err := shelf.Own(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(record.Put(e), record.Close()); err != nil {
		t.Fatal(err)
	}
}

// Hold puts a record whose owner lives until the test ends.
func Hold[E any](t testing.TB, shelf journal.Shelf[E], key string, e E) *journal.Record[E] {
	t.Helper()
	record, err := shelf.Own(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = record.Close() })
	if err := record.Put(e); err != nil {
		t.Fatal(err)
	}
	return record
}

// Values are the records that are there, whoever owns them. One that cannot be read fails the test.
func Values[E any](t testing.TB, shelf journal.Shelf[E]) []E {
	t.Helper()
	all, err := shelf.All()
	if err != nil {
		t.Fatal(err)
	}
	var values []E
	for _, seen := range all {
		if seen.Err != nil && !errors.Is(seen.Err, journal.ErrNoLock) {
			t.Fatal(seen.Err)
		}
		values = append(values, seen.Value)
	}

	return values
}
