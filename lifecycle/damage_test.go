package lifecycle

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// readBack opens and reads the store in every way there is, and returns the first error.
func readBack(path string) error {
	store, err := OpenStore(path, time.Second)
	if err != nil {
		return err
	}
	_, all := store.all()
	_, _, one := store.get("id-alpha")
	return errors.Join(all, one, store.Close())
}

func TestATruncatedStoreIsAnErrorNotACrash(t *testing.T) {
	b := newBench(t, "a", "b")
	b.mustCreate(t, "alpha")
	b.mustCreate(t, "beta")
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for size := 1; size < len(whole); size += 1500 {
		path := t.TempDir() + "/cut.db"
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := readBack(path); err != nil {
			refused++
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("cut to %d: error %v does not name the damaged file", size, err)
			}
		}
	}
	if refused < 5 {
		t.Errorf("only %d cut files were refused", refused)
	}
}

func TestAnOverwrittenStoreIsAnErrorNotACrash(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	for page := 2 * 4096; page < len(whole); page += 4096 { // behind the two meta pages, which have checksums
		spoilt := bytes.Clone(whole)
		copy(spoilt[page:page+4096], bytes.Repeat([]byte{0xa5}, 4096))
		path := t.TempDir() + "/spoilt.db"
		if err := os.WriteFile(path, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := readBack(path); err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("page at %d: error %v does not name the file", page, err)
		}
	}
}

func TestAStoreThatFailsAfterTheCreationSaysSoBesideTheRecord(t *testing.T) {
	b := newBench(t, "a")
	b.ext["a"].on[BeforeCreate] = nil
	driver := b.Wrap(closing{b.memory, b.store})
	record, err := driver.CreateSandbox(t.Context(), Request{Name: "alpha", Gateway: "gw"})
	if record.ID != "id-alpha" || err == nil {
		t.Errorf("%+v, %v", record, err)
	}
	if b.store, err = OpenStore(b.path, time.Second); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	b.log.take()
	b.reconcile(t)
	same(t, "the next reconcile finishes it", b.log.take(), []string{"a after_create_success a", "a reconcile a"})
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=a"})
}
