package lifecycle

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestStateListingShowAndClear(t *testing.T) {
	b := newBench(t, "a", "b")
	b.mustCreate(t, "alpha")
	b.mustCreate(t, "beta")
	states, err := b.store.States()
	if err != nil || len(states) != 4 {
		t.Fatalf("%+v, %v", states, err)
	}
	same(t, "info", states[1].Extension+" "+states[1].Sandbox.Name+" "+string(states[1].Status), "b alpha ready")
	same(t, "bytes", states[1].Bytes, 1)
	detail, err := b.store.State("alpha", "b")
	if err != nil || detail.Text != "b" || detail.SchemaVersion != 1 || detail.Updated.IsZero() {
		t.Errorf("%+v, %v", detail, err)
	}
	if err := b.store.Clear("id-alpha", "b"); err != nil {
		t.Fatal(err)
	}
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=a", "id-beta ready a=a b=b"})
	tracked, err := b.store.Tracked()
	same(t, "error", err, nil)
	same(t, "the chain of it", tracked[0].Chain, []string{"a"})
	for _, err := range []error{b.store.Clear("alpha", "b"), b.store.Clear("gamma", "b")} {
		if !errors.Is(err, ErrUnknownState) {
			t.Errorf("error %v", err)
		}
	}
}

func TestClearingTheLastStateOfAGoneSandboxForgetsIt(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	b.kill(t, StatusDeleted, func(e *entry) { e.Owed = []string{"a"} })
	if err := b.store.Clear("alpha", "a"); err != nil {
		t.Fatal(err)
	}
	same(t, "stored", b.stored(t), []string{})
}

func TestNameOfSeveralSandboxesIsRefused(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	if err := b.store.save(entry{Tracked: Tracked{Reference: Reference{ID: "other", Name: "alpha"}, Status: StatusReady}}, ""); err != nil {
		t.Fatal(err)
	}
	_, err := b.store.State("alpha", "a")
	if err == nil || !strings.Contains(err.Error(), "id-alpha, other") {
		t.Errorf("error %v", err)
	}
}

func TestPayloadIsShownAsWhatItIs(t *testing.T) {
	same(t, "json", string(detail(StateInfo{}, []byte(`{"a":1}`)).JSON), `{"a":1}`)
	same(t, "text", detail(StateInfo{}, []byte("a: 1")).Text, "a: 1")
	same(t, "binary", detail(StateInfo{}, []byte{0xff, 0}).Binary, []byte{0xff, 0})
}

func TestStatsAndMetrics(t *testing.T) {
	b := newBench(t, "a", "long")
	b.mustCreate(t, "alpha")
	b.mustCreate(t, "beta")
	stats, err := b.store.Stats()
	same(t, "error", err, nil)
	same(t, "stats", stats, []ExtensionStats{{"a", 2, 2, 1}, {"long", 2, 8, 4}})
	var metrics strings.Builder
	if err := WriteMetrics(&metrics, stats); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"# TYPE sandkeeper_extension_state_bytes gauge\n", "sandkeeper_extension_state_bytes{extension=\"long\"} 8\n",
		"sandkeeper_extension_states{extension=\"a\"} 2\n", "sandkeeper_extension_state_largest_bytes{extension=\"long\"} 4\n",
	} {
		if !strings.Contains(metrics.String(), line) {
			t.Errorf("metrics lack %q:\n%s", line, metrics.String())
		}
	}
}

func TestStoreFileIsPrivateAndLocked(t *testing.T) {
	b := newBench(t, "a")
	for path, want := range map[string]os.FileMode{b.path: 0o600, filepath.Dir(b.path): 0o700} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := OpenStore(b.path, 10*time.Millisecond); !errors.Is(err, ErrBusy) {
		t.Errorf("second opening: %v, want ErrBusy", err)
	}
}

func TestStoreRefusesWhatIsNotOne(t *testing.T) {
	dir := t.TempDir()
	cases := map[string]func(path string) error{
		"not a regular file": func(path string) error { return os.Symlink("elsewhere", path) },
		"invalid database":   func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("junk", 4096)), 0o600) },
		`its format is "99"`: func(path string) error { return writeFormat(path, "99") },
	}
	for want, make := range cases {
		path := filepath.Join(dir, "f")
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenStore(path, time.Second); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want %q", err, want)
		}
		_ = os.Remove(path)
	}
}

func writeFormat(path, format string) error {
	store, err := OpenStore(path, time.Second)
	if err != nil {
		return err
	}
	err = store.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(metaBucket)).Put([]byte(formatKey), []byte(format)) })
	return errors.Join(err, store.Close())
}

func TestStoreRefusesIdsThatWouldCollide(t *testing.T) {
	b := newBench(t, "a")
	for _, id := range []string{"a\x00b", strings.Repeat("x", 513)} {
		if _, err := b.driver.CreateSandbox(t.Context(), Request{ID: id, Name: "alpha"}); err == nil {
			t.Errorf("id %q was stored", id)
		}
	}
	same(t, "nothing ran", b.log.take(), []string(nil))
}

func TestAnIdThatIsRecordedIsNotOverwritten(t *testing.T) {
	b := newBench(t, "a")
	b.mustCreate(t, "alpha")
	b.log.take()
	_, err := b.driver.CreateSandbox(t.Context(), Request{ID: "id-alpha", Name: "alpha", Gateway: "gw"})
	if err == nil || !strings.Contains(err.Error(), "already recorded as ready") {
		t.Errorf("error %v", err)
	}
	same(t, "log", b.log.take(), []string(nil))
}
