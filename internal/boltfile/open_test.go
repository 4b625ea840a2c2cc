package boltfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"sandkeeper/internal/trust"
)

// What is acted on is ours alone: not another user's, not one that others can write, and not what a link leads to.
func TestOpenOwn(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "db"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	f, err := openOwn(path, os.O_RDWR, 0o600)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{link, dir} {
		if _, err := openOwn(other, os.O_RDONLY, 0o600); err == nil {
			t.Errorf("%s was opened", other)
		}
	}
	if err := os.Chmod(path, 0o602); err != nil {
		t.Fatal(err)
	}
	if _, err := openOwn(path, os.O_RDWR, 0o600); !errors.Is(err, trust.ErrForeign) {
		t.Errorf("others can write it: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, needs root: a file is given to another user")
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.Chown(path, 4711, 4711)); err != nil {
		t.Fatal(err)
	}
	if _, err := openOwn(path, os.O_RDWR, 0o600); !errors.Is(err, trust.ErrForeign) {
		t.Errorf("another user's: %v", err)
	}
}

// What is no whole database is damaged; what cannot be opened is not.
func TestOpenTellsDamageFromTheRest(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	for _, content := range []string{"garbage", strings.Repeat("garbage", 4096)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, bbolt.Options{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes: %v", len(content), err)
		}
	}
	if err := os.Chmod(path, 0o602); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, bbolt.Options{}); errors.Is(err, ErrDamaged) || !errors.Is(err, trust.ErrForeign) {
		t.Errorf("others can write it: %v", err)
	}
	if _, err := Open(filepath.Join(path, "db"), bbolt.Options{}); errors.Is(err, ErrDamaged) || !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
}
