package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// The crash tests run this test binary again as the process that is killed: in the folder, at the n-th point.
const (
	crashFolder = "SANDKEEPER_TEST_CRASH_FOLDER"
	crashPoint  = "SANDKEEPER_TEST_CRASH_POINT"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		at, _ := strconv.Atoi(os.Getenv(crashPoint))
		if err := liveAndDie(folder, &points{at: at}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// points counts the moments at which the process could die, and dies at one of them as by kill -9.
type points struct{ at, passed int }

func (p *points) pass(what string) {
	if p.passed++; p.passed == p.at {
		fmt.Println(what)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// liveAndDie creates and deletes one sandbox, all of whose world is in the folder.
func liveAndDie(folder string, p *points) error {
	chain, err := worldChain(folder, p)
	if err != nil {
		return err
	}
	driver := chain.Wrap(&world{folder: folder, points: p})
	record, err := driver.CreateSandbox(context.Background(), Request{Name: "alpha", Gateway: "gw"})
	if err != nil {
		return err
	}
	return driver.DeleteSandbox(context.Background(), Reference{ID: record.ID, Name: "alpha", Gateway: "gw"})
}

func worldChain(folder string, p *points) (*Chain, error) {
	store, err := OpenStore(filepath.Join(folder, "store.db"), 5*time.Second)
	if err != nil {
		return nil, err
	}
	store.atWrite = func(step string) error { p.pass("store: " + step); return nil }
	links := []Link{}
	for _, name := range []string{"a", "b"} {
		links = append(links, Link{Name: name, Extension: &lease{world: world{folder: folder, points: p}, name: name}, Reads: []uint32{1}})
	}
	return NewChain(Options{Links: links, Store: store})
}

// world is a driver whose sandboxes are files.
type world struct {
	folder string
	points *points
}

func (w *world) touch(name string) error {
	w.points.pass("before touch " + name)
	err := os.WriteFile(filepath.Join(w.folder, name), nil, 0o600)
	w.points.pass("after touch " + name)
	return err
}

func (w *world) remove(name string) error {
	w.points.pass("before remove " + name)
	err := os.Remove(filepath.Join(w.folder, name))
	w.points.pass("after remove " + name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (w *world) exists(name string) bool {
	_, err := os.Stat(filepath.Join(w.folder, name))
	return err == nil
}

func (w *world) CreateSandbox(_ context.Context, r Request) (Record, error) {
	return Record{ID: "id-" + r.Name, Name: r.Name, Gateway: r.Gateway}, w.touch("sandbox-" + r.Name)
}

func (w *world) DeleteSandbox(_ context.Context, r Reference) error {
	return w.remove("sandbox-" + r.Name)
}

func (w *world) ListSandboxes(context.Context) ([]Record, error) {
	if !w.exists("sandbox-alpha") {
		return nil, nil
	}
	return []Record{{ID: "id-alpha", Name: "alpha", Gateway: "gw"}}, nil
}

func (w *world) WatchSandboxes(context.Context, func(Change) error) error { return nil }

// lease is an extension that holds something outside for as long as its sandbox lives: a file.
type lease struct {
	world
	name string
}

func (l *lease) file(s Sandbox) string { return "lease-" + l.name + "-" + s.Name }

func (l *lease) BeforeCreate(_ context.Context, s Sandbox, _ *Builder) (*State, error) {
	return textState("leased"), l.touch(l.file(s))
}

func (l *lease) AfterCreateSuccess(_ context.Context, _ Sandbox, _ *State) (*State, error) {
	l.points.pass("in after_create_success")
	return textState("confirmed"), nil
}

func (l *lease) AfterCreateFailed(_ context.Context, s Sandbox, _ *State) (*State, error) {
	return nil, l.remove(l.file(s))
}

func (l *lease) BeforeDelete(context.Context, Sandbox, *State) (*State, error) {
	l.points.pass("in before_delete")
	return textState("quiesced"), nil
}

func (l *lease) AfterDelete(_ context.Context, s Sandbox, _ *State) (*State, error) {
	return nil, l.remove(l.file(s))
}

func (l *lease) Reconcile(context.Context, Sandbox, *State) (ReconcileOutcome, error) {
	return ReconcileOutcome{}, nil
}

// TestStateAtomicityUnderKill9 kills a real process at every point of a create and a delete, one after the other. Each time the
// store must hold the old or the new, and one reconcile must bring the world to where either nothing is left or everything is there.
func TestStateAtomicityUnderKill9(t *testing.T) {
	const most = 500
	for n := 1; n < most; n++ {
		folder := t.TempDir()
		point, killed := runAndKill(t, folder, n)
		checkAtRest(t, folder, point)
		checkReconciled(t, folder, point)
		if !killed {
			if n < 40 {
				t.Errorf("only %d points were passed", n-1)
			}
			return
		}
	}
	t.Errorf("after %d points the process still did not finish", most)
}

func runAndKill(t *testing.T, folder string, n int) (point string, killed bool) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(binary)
	child.Env = append(os.Environ(), crashFolder+"="+folder, crashPoint+"="+strconv.Itoa(n))
	var said, wrong bytes.Buffer
	child.Stdout, child.Stderr = &said, &wrong
	err = child.Run()
	if err == nil {
		return "the end", false
	}
	died, ok := errors.AsType[*exec.ExitError](err)
	if !ok || died.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("point %d: %v: %s", n, err, wrong.String())
	}
	return fmt.Sprintf("point %d (%s)", n, strings.TrimSpace(said.String())), true
}

// checkAtRest: record and states belong together, whichever transaction was the last.
func checkAtRest(t *testing.T, folder, point string) {
	t.Helper()
	store, err := OpenStore(filepath.Join(folder, "store.db"), time.Second)
	if err != nil {
		t.Fatalf("%s: %v", point, err)
	}
	defer store.Close()
	entries, err := store.all()
	if err != nil || len(entries) > 1 {
		t.Fatalf("%s: %d records, %v", point, len(entries), err)
	}
	states := 0
	for _, e := range entries {
		states = len(e.states)
		want := 2
		switch e.Status {
		case StatusCreating:
			want = e.Prepared
		case StatusDeleted:
			want = len(e.Owed)
		}
		if states != want {
			t.Errorf("%s: %d states beside %+v, want %d", point, states, e.Tracked, want)
		}
	}
	_ = store.db.View(func(tx *bbolt.Tx) error {
		if n := tx.Bucket([]byte(stateBucket)).Stats().KeyN; n != states {
			t.Errorf("%s: %d states are stored, %d belong to a sandbox", point, n, states)
		}
		return nil
	})
}

func checkReconciled(t *testing.T, folder, point string) {
	t.Helper()
	chain, err := worldChain(folder, &points{})
	if err != nil {
		t.Fatalf("%s: %v", point, err)
	}
	defer chain.store.Close()
	w := &world{folder: folder, points: &points{}}
	reports, err := chain.Reconcile(t.Context(), map[string]Driver{"gw": w})
	if err != nil {
		t.Fatalf("%s: %v", point, err)
	}
	for _, r := range reports {
		if r.Err != nil {
			t.Errorf("%s: %v", point, r.Err)
		}
	}
	entries, err := chain.store.all()
	if err != nil {
		t.Fatal(err)
	}
	there := w.exists("sandbox-alpha")
	for _, name := range []string{"lease-a-alpha", "lease-b-alpha"} {
		if w.exists(name) != there {
			t.Errorf("%s: after the reconcile, %s exists: %v, the sandbox: %v", point, name, !there, there)
		}
	}
	if len(entries) == 1 != there || there && (entries[0].ID != "id-alpha" || len(entries[0].states) != 2) {
		t.Errorf("%s: after the reconcile, the sandbox exists: %v, stored: %+v", point, there, entries)
	}
}
