package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/internal/trust"
)

func TestOpenStoreRefusesRootsThatOthersControl(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "real"), 0o700), os.Mkdir(filepath.Join(dir, "open"), 0o700),
		os.Chmod(filepath.Join(dir, "open"), 0o777), os.Mkdir(filepath.Join(dir, "tmp"), 0o700),
		os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky), os.Symlink("real", filepath.Join(dir, "own")),
		os.Symlink("loop", filepath.Join(dir, "loop")), os.Symlink("own/../open", filepath.Join(dir, "around")),
		os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "foreign")),
		os.WriteFile(filepath.Join(dir, "file"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	foreign := os.Lchown(filepath.Join(dir, "foreign"), 4242, 4242) == nil // only root can
	for path, want := range map[string]string{
		"real/store": "", "own/store": "", "tmp/store": "", "not/yet": "",
		"open/store": "everybody may write", "around/store": "everybody may write", "loop/x": "too many symbolic links", "file/x": "is not a folder",
		"foreign/store": "symbolic link of user 4242",
	} {
		if path == "foreign/store" && !foreign {
			t.Log("skipped: only root can make another user's link")
			continue
		}
		_, err := Open(filepath.Join(dir, path), Options{UID: os.Getuid()})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "real"), 0o770|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "real"), Options{UID: os.Getuid()}); foreign && !errors.Is(err, trust.ErrForeign) {
		t.Errorf("a store that a group can write: %v", err)
	}
	if err := os.Chown(filepath.Join(dir, "real"), 4242, 4242); foreign && err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "real"), Options{UID: os.Getuid()}); foreign && (!errors.Is(err, trust.ErrForeign) || !strings.Contains(err.Error(), "user 4242")) {
		t.Errorf("another user's store: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "real")); len(entries) > 0 {
		t.Errorf("opening made %v", entries)
	}
	if _, err := Open("", Options{}); err == nil {
		t.Error("an empty root was taken")
	}
}
