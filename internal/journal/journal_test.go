package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

// note is what the tests' records hold.
type note struct {
	Name string `json:"name"`
	Fill string `json:"fill,omitempty"`
}

func notes() Kind[note] {
	return Kind[note]{
		About: func(n note) string { return "note " + n.Name },
		Check: func(key string, n note) error {
			if n.Name == "" {
				return fmt.Errorf("record %s has no name", key[:4])
			}
			return nil
		},
	}
}

var (
	keyA = strings.Repeat("a", 64)
	keyB = strings.Repeat("b", 64)
)

func own(t *testing.T, s Shelf[note], key string) *Record[note] {
	t.Helper()
	r, err := s.Own(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func abandoned(s Shelf[note]) (names []string, problems []error) {
	for r, err := range s.Abandoned() {
		if err != nil {
			problems = append(problems, err)
			continue
		}
		names = append(names, r.Value.Name)
	}
	return names, problems
}

// leave puts a record whose owner has gone.
func leave(t *testing.T, s Shelf[note], key, name string) {
	t.Helper()
	r := own(t, s, key)
	if err := errors.Join(r.Put(note{Name: name}), r.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsPutIsFoundAndGoesWhenItIsRemoved(t *testing.T) {
	s := NewShelf(filepath.Join(t.TempDir(), "state", "notes"), notes())
	r := own(t, s, keyA)
	if r.Found {
		t.Error("found a record that nobody has put")
	}
	if err := errors.Join(r.Put(note{Name: "one"}), r.Put(note{Name: "two"}), r.Close()); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{s.Dir(): 0o700, s.Path(keyA): 0o600, s.LockPath(keyA): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want mode %o", path, info, err, mode)
		}
	}
	lock, _ := os.Stat(s.LockPath(keyA))
	again := own(t, s, keyA)
	if !again.Found || again.Value.Name != "two" {
		t.Errorf("found %v, %+v", again.Found, again.Value)
	}
	if err := errors.Join(again.Remove(), again.Remove(), again.Close()); err != nil {
		t.Fatal(err)
	}
	if names, problems := abandoned(s); len(names)+len(problems) != 0 {
		t.Errorf("after Remove: %q, %v", names, problems)
	}
	if now, err := os.Stat(s.LockPath(keyA)); err != nil || !os.SameFile(lock, now) {
		t.Errorf("the lock file was replaced or removed: %v", err)
	}
}

// Nothing is made by who only looks, and nothing is an error where nothing is.
func TestLookingMakesNothing(t *testing.T) {
	s := NewShelf(filepath.Join(t.TempDir(), "none"), notes())
	if names, problems := abandoned(s); len(names)+len(problems) != 0 {
		t.Errorf("%q, %v", names, problems)
	}
	if all, err := s.All(); all != nil || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	if _, found, err := s.Look(keyA); found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := os.Lstat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestOwningTwiceWaitsAndThenNamesTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShelf(t.TempDir(), notes())
		first := own(t, s, keyA)
		if _, err := s.Own(t.Context(), keyA); err == nil {
			t.Fatal("two own one record")
		} else if held, ok := errors.AsType[*HeldError](err); !ok || held.Holder.PID != os.Getpid() {
			t.Errorf("the holder is not named: %v", err)
		}
		own(t, s, keyB)
		go func() { _ = first.Close() }()
		own(t, s, keyA)
	})
}

// A lock on a file that has lost its name shuts nobody out: who waits for it takes the file that has the name, and who holds it
// writes nothing any more.
func TestALockFileThatWasReplaced(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	first := own(t, s, keyA)
	if err := errors.Join(first.Put(note{Name: "first"}), os.Remove(s.LockPath(keyA))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Own(t.Context(), keyA); !errors.Is(err, ErrNoLock) {
		t.Errorf("a record without a lock file was taken: %v", err)
	}
	if err := os.WriteFile(s.LockPath(keyA), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second := own(t, s, keyA)
	if err := second.Put(note{Name: "second"}); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{"Put": first.Put(note{Name: "late"}), "Remove": first.Remove()} {
		if err == nil || !strings.Contains(err.Error(), "replaced") {
			t.Errorf("%s under a lock that was lost: %v", what, err)
		}
	}
}

// The file may be replaced between its opening and its locking; then the lock would be on the wrong one.
func TestTheLockIsOnTheFileThatHasTheName(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	leave(t, s, keyA, "left")
	replaced := 0
	s.step = func(step string) {
		if step != "lock" || replaced > 1 {
			return
		}
		replaced++
		if err := os.Rename(s.LockPath(keyA), s.LockPath(keyA)+".away"); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(s.LockPath(keyA), nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	own(t, s, keyA)
	if names, problems := abandoned(s); replaced != 2 || len(names) != 0 || len(problems) != 1 {
		t.Errorf("replaced %d times, then another run took %q; %v", replaced, names, problems)
	}
}

// A record of before the locks, or whose lock file was removed, has no owner that can be proved dead.
func TestARecordWithoutALockFile(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	if err := os.WriteFile(s.Path(keyA), []byte(`{"name":"old"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	names, problems := abandoned(s)
	if len(names) != 0 || len(problems) != 1 || !errors.Is(problems[0], ErrNoLock) || !strings.Contains(problems[0].Error(), "touch "+s.LockPath(keyA)) || !strings.Contains(problems[0].Error(), "note old") {
		t.Errorf("recovery took %q; %v", names, problems)
	}
	if seen, found, err := s.Look(keyA); !found || err != nil || !errors.Is(seen.Err, ErrNoLock) || seen.Value.Name != "old" {
		t.Errorf("a reader sees %+v, %v, %v", seen, found, err)
	}
	if _, err := os.Lstat(s.LockPath(keyA)); err == nil {
		t.Error("somebody who left the record alone has given it free")
	}
	if seen, _, err := s.adopting().Look(keyA); seen.Err != nil || seen.Owner != nil || err != nil {
		t.Errorf("on a shelf that adopts, a reader sees %+v, %v", seen, err)
	}
	if names, problems := abandoned(s.adopting()); len(names) != 1 || len(problems) != 0 {
		t.Errorf("on a shelf that adopts: %q, %v", names, problems)
	}
}

func TestTouchingTheLockFileGivesARecordFree(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	for path, text := range map[string]string{s.Path(keyA): `{"name":"old"}`, s.LockPath(keyA): ""} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { // as "touch" makes it
			t.Fatal(err)
		}
	}
	if names, problems := abandoned(s); len(names) != 1 || len(problems) != 0 {
		t.Errorf("%q, %v", names, problems)
	}
}

// One bad record is left alone and named, and hides none of the others.
func TestRecordsThatAreNotObeyed(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(s Shelf[note]) error
		root  bool
		want  error
		text  string
	}{
		"torn":           {spoil: func(s Shelf[note]) error { return os.WriteFile(s.Path(keyA), []byte(`{"na`), 0o600) }, text: "not readable"},
		"empty":          {spoil: func(s Shelf[note]) error { return os.Truncate(s.Path(keyA), 0) }, text: "not readable"},
		"checked":        {spoil: func(s Shelf[note]) error { return os.WriteFile(s.Path(keyA), []byte(`{}`), 0o600) }, text: "has no name"},
		"too large":      {spoil: func(s Shelf[note]) error { return os.Truncate(s.Path(keyA), recordLimit+1) }, text: "more than"},
		"written by all": {spoil: func(s Shelf[note]) error { return os.Chmod(s.Path(keyA), 0o606) }, want: ErrForeign, text: "written by others (mode 0606)"},
		"lock of all":    {spoil: func(s Shelf[note]) error { return os.Chmod(s.LockPath(keyA), 0o620) }, want: ErrForeign, text: "written by others (mode 0620)"},
		"foreign":        {spoil: func(s Shelf[note]) error { return os.Chown(s.Path(keyA), 4711, -1) }, root: true, want: ErrForeign, text: "belongs to user 4711"},
		"foreign lock":   {spoil: func(s Shelf[note]) error { return os.Chown(s.LockPath(keyA), 4711, -1) }, root: true, want: ErrForeign, text: "belongs to user 4711"},
		"link": {spoil: func(s Shelf[note]) error {
			return errors.Join(os.Rename(s.Path(keyA), s.Path(keyA)+".real"), os.Symlink(s.Path(keyA)+".real", s.Path(keyA)))
		}, want: ErrForeign, text: "no plain file"},
		"lock is a link": {spoil: func(s Shelf[note]) error {
			return errors.Join(os.Rename(s.LockPath(keyA), s.LockPath(keyA)+".real"), os.Symlink(s.LockPath(keyA)+".real", s.LockPath(keyA)))
		}, want: ErrForeign, text: "no plain file"},
		"pipe": {spoil: func(s Shelf[note]) error {
			return errors.Join(os.Remove(s.Path(keyA)), unix.Mkfifo(s.Path(keyA), 0o600))
		}, want: ErrForeign, text: "no plain file"},
		"folder": {spoil: func(s Shelf[note]) error { return errors.Join(os.Remove(s.Path(keyA)), os.Mkdir(s.Path(keyA), 0o700)) }, want: ErrForeign, text: "no plain file"},
		"lock socket": {spoil: func(s Shelf[note]) error {
			return errors.Join(os.Remove(s.LockPath(keyA)), unix.Mknod(s.LockPath(keyA), unix.S_IFSOCK|0o600, 0))
		}, want: ErrForeign, text: "no plain file"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("SKIPPED, needs root: a file is given to another user")
			}
			s := NewShelf(t.TempDir(), notes())
			leave(t, s, keyA, "bad")
			leave(t, s, keyB, "good")
			if err := tt.spoil(s); err != nil {
				t.Fatal(err)
			}
			names, problems := abandoned(s)
			if len(names) != 1 || names[0] != "good" || len(problems) != 1 {
				t.Fatalf("recovery took %q; %v", names, problems)
			}
			if err := problems[0]; !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), keyA) || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("the bad record: %v", err)
			}
			all, err := s.All()
			if err != nil || len(all) != 2 || all[0].Err == nil || all[1].Err != nil {
				t.Errorf("a reader sees %+v, %v", all, err)
			}
			if _, err := s.Own(t.Context(), keyA); err == nil {
				t.Error("what is not obeyed was taken over and would have been written over")
			}
		})
	}
}

// What lies in another user's folder, or in one that others can write, is not ours, whoever owns the files.
func TestAFolderThatIsNotOursIsNotObeyed(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"written by all": func(dir string) error { return os.Chmod(dir, 0o777) },
		"link":           func(dir string) error { return errors.Join(os.Rename(dir, dir+".real"), os.Symlink(dir+".real", dir)) },
		"foreign":        func(dir string) error { return os.Chown(dir, 4711, -1) },
	} {
		if name == "foreign" && os.Geteuid() != 0 {
			t.Log("SKIPPED, needs root: a folder is given to another user")
			continue
		}
		s := NewShelf(filepath.Join(t.TempDir(), "notes"), notes())
		leave(t, s, keyA, "note")
		leave(t, s, keyB, "note")
		if err := spoil(s.Dir()); err != nil {
			t.Fatal(err)
		}
		names, problems := abandoned(s)
		if len(names) != 0 || len(problems) != 1 || !errors.Is(problems[0], ErrForeign) || !strings.Contains(problems[0].Error(), s.Dir()) {
			t.Errorf("%s: recovery took %q; %v", name, names, problems)
		}
		if _, err := s.Own(t.Context(), keyB); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: a record was made: %v", name, err)
		}
		if _, _, err := s.Look(keyA); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: a reader sees %v", name, err)
		}
	}
}

// A record whose owner was done with it between the listing and the lock is nobody's any more.
func TestARecordThatGoesMeanwhile(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	leave(t, s, keyA, "going")
	s.step = func(string) { _ = os.Remove(s.Path(keyA)) }
	if names, problems := abandoned(s); len(names)+len(problems) != 0 {
		t.Errorf("%q, %v", names, problems)
	}
}

// Somebody else's folder without a record asks for nothing, so nothing is said of it.
func TestAnEmptyFolderThatIsNotOursIsNoMatter(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	s.user++
	if names, problems := abandoned(s); len(names)+len(problems) != 0 {
		t.Errorf("%q, %v", names, problems)
	}
}

// A run that is killed within its first Put leaves a part of a record. It asks for nothing and goes, but never while its
// owner lives.
func TestPartOfAFirstRecordIsSwept(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	r := own(t, s, keyA)
	part := filepath.Join(s.Dir(), ".tmp-"+keyA+".json")
	if err := os.WriteFile(part, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := abandoned(s); len(problems) != 1 {
		t.Errorf("of a record that is being written: %v", problems)
	}
	if _, err := os.Stat(part); err != nil {
		t.Errorf("while its owner lived: %v", err)
	}

	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if names, problems := abandoned(s); len(names)+len(problems) != 0 {
		t.Errorf("a part of a record: %q, %v", names, problems)
	}
	if _, err := os.Stat(part); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the part is still there: %v", err)
	}
}

func TestKeysThatAreNoNames(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	for _, key := range []string{"", "../../../etc/passwd", "ABCDEF012345", "short", strings.Repeat("a", 65)} {
		if _, err := s.Own(t.Context(), key); err == nil {
			t.Errorf("%q was taken", key)
		}
		if _, _, err := s.Look(key); err == nil {
			t.Errorf("%q was looked at", key)
		}
	}
	for _, name := range []string{"README", keyB + ".json.part", ".tmp-" + keyB + ".json", "short.json"} {
		if err := os.WriteFile(filepath.Join(s.Dir(), name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if names, problems := abandoned(s); len(names)+len(problems) != 0 {
		t.Errorf("what is no record: %q, %v", names, problems)
	}
	if a, b := Key("a", "bc"), Key("ab", "c"); a == b || !validKey().MatchString(a) {
		t.Errorf("keys %q, %q", a, b)
	}
}

// Put is whole or nothing at each of its steps, in this order.
func TestPutIsDurableBeforeItReturns(t *testing.T) {
	s := NewShelf(t.TempDir(), notes())
	var steps []string
	s.step = func(step string) { steps = append(steps, step) }
	r := own(t, s, keyA)
	steps = nil
	if err := r.Put(note{Name: "one"}); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(steps, ", "), "create, write, sync, rename, sync folder"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
	if err := r.Put(note{}); err == nil || r.Value.Name != "one" {
		t.Errorf("a record that would not be obeyed was put: %v", err)
	}
	if err := r.Put(note{Name: "long", Fill: strings.Repeat("x", recordLimit)}); err == nil || r.Value.Name != "one" {
		t.Errorf("a record that could not be read back was put: %v", err)
	}
}
